"""Where packages come from: the index that this machine's pip and uv are configured for."""

import configparser
import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

PYPI = "https://pypi.org/simple"


@dataclass(frozen=True, kw_only=True, slots=True)
class Index:
    """The package indexes of this machine."""

    default: str = PYPI
    extra: tuple[str, ...] = ()
    #: Pages or folders with files that are looked at besides the indexes.
    find_links: tuple[str, ...] = ()
    #: A file of certificates to check the index by, or None for the system's.
    certificates: str | None = None
    trusted_hosts: tuple[str, ...] = ()

    @property
    def urls(self) -> tuple[str, ...]:
        return (self.default, *self.extra)


def configured(environ: Mapping[str, str] = os.environ) -> Index:
    """Read the index settings: uv's own where there are any, else pip's, else PyPI."""
    pip = _pip_settings(environ)
    uv = _uv_settings(environ)
    own = bool(uv)
    return Index(
        default=_first(uv if own else pip, "index-url") or PYPI,
        extra=_words(uv if own else pip, "extra-index-url"),
        find_links=_words(uv if own else pip, "find-links"),
        certificates=environ.get("SSL_CERT_FILE") or _first(pip, "cert"),
        trusted_hosts=_words(pip, "trusted-host"),
    )


def uv_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """Give *environ* for uv, which does not read pip's settings, with these said in its words."""
    result = uv_trust(environ)
    index = configured(environ)
    if _uv_settings(environ):
        return result
    result["UV_DEFAULT_INDEX"] = index.default
    if index.extra:
        result["UV_INDEX"] = " ".join(index.extra)
        # As pip does: the best version of all indexes. Every file is checked by its hash.
        result["UV_INDEX_STRATEGY"] = "unsafe-best-match"
    if index.find_links:
        result["UV_FIND_LINKS"] = ",".join(index.find_links)
    if index.trusted_hosts:
        result["UV_INSECURE_HOST"] = " ".join(index.trusted_hosts)
    if timeout := _first(_pip_settings(environ), "default-timeout", "timeout"):
        result.setdefault("UV_HTTP_TIMEOUT", timeout)
    return result


def uv_trust(environ: Mapping[str, str]) -> dict[str, str]:
    """Give *environ* for uv, which brings certificates of its own, with this machine's instead."""
    result = {"UV_SYSTEM_CERTS": "1", **environ}
    if certificates := configured(environ).certificates:
        result["SSL_CERT_FILE"] = certificates
    return result


def _pip_settings(environ: Mapping[str, str]) -> dict[str, str]:
    """Read pip's settings, the stronger source last: machine, user, named file, environment."""
    home = Path(environ.get("HOME", "/"))
    config = Path(environ.get("XDG_CONFIG_HOME") or home / ".config")
    named = environ.get("PIP_CONFIG_FILE", "")
    files = [
        Path("/etc/xdg/pip/pip.conf"),
        Path("/etc/pip.conf"),
        home / ".pip" / "pip.conf",
        config / "pip" / "pip.conf",
        *([Path(named)] if named else []),
    ]
    if named == os.devnull:  # Pip's way to say: read no file.
        files = []
    settings: dict[str, str] = {}
    for file in files:
        parser = configparser.RawConfigParser()
        parser.read(file)
        for section in ("global", "install"):
            if parser.has_section(section):
                settings |= {k.replace("_", "-"): v for k, v in parser.items(section)}
    for name, value in environ.items():
        if name.startswith("PIP_") and value:
            settings[name.removeprefix("PIP_").lower().replace("_", "-")] = value
    return settings


def _uv_settings(environ: Mapping[str, str]) -> dict[str, str]:
    """Read what uv's own configuration says about indexes; empty when it says nothing."""
    settings: dict[str, str] = {}
    config = Path(environ.get("XDG_CONFIG_HOME") or Path(environ.get("HOME", "/")) / ".config")
    for file in (Path("/etc/uv/uv.toml"), config / "uv" / "uv.toml"):
        if file.is_file():
            settings |= _uv_table(tomllib.loads(file.read_text()))
    names = {
        "UV_DEFAULT_INDEX": "index-url",
        "UV_INDEX_URL": "index-url",
        "UV_INDEX": "extra-index-url",
        "UV_EXTRA_INDEX_URL": "extra-index-url",
        "UV_FIND_LINKS": "find-links",
    }
    for name, key in names.items():
        if environ.get(name):
            settings[key] = environ[name].replace(",", " ")
    return settings


def _uv_table(table: Mapping[str, object]) -> dict[str, str]:
    settings: dict[str, str] = {}
    for key in ("index-url", "extra-index-url", "find-links"):
        value = table.get(key)
        if isinstance(value, str):
            settings[key] = value
        elif isinstance(value, list):
            settings[key] = " ".join(map(str, value))
    indexes = table.get("index")
    for index in indexes if isinstance(indexes, list) else []:
        key = "index-url" if index.get("default") else "extra-index-url"
        settings[key] = f"{settings.get(key, '')} {index['url']}".strip()
    return settings


def _first(settings: Mapping[str, str], *names: str) -> str | None:
    return next((settings[name].strip() for name in names if settings.get(name)), None)


def _words(settings: Mapping[str, str], name: str) -> tuple[str, ...]:
    return tuple(settings.get(name, "").split())
