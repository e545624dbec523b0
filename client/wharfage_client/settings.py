"""What a command works with: flags first, then the environment, then the user's own files.

The user's files are in the configuration folder of the platform, or in `WHARFAGE_CONFIG`:
`config.toml`, written by hand, and `sessions/<profile>.json`, written by `wharfage login`.

    profile = "work"          # used when nothing else names one

    [profiles.work]
    url = "https://wharfage.example"
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wharfage_client.errors import LocalError
from wharfage_client.session import StoredSession

_PROFILE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,31}", re.ASCII)
_DEFAULT_PROFILE = "default"


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """Which server, as whom, and where that is kept."""

    profile: str
    url: str | None
    token: str | None
    folder: Path

    @property
    def session(self) -> StoredSession:
        """The stored session of this profile with this server."""
        return StoredSession(session_file(self.folder, self.profile), url=self.url)

    @property
    def server(self) -> str:
        """The server's address. Raises: LocalError, when nothing names one."""
        if self.url is None:
            raise LocalError("no_server")
        return self.url


def resolve(*, url: str | None, profile: str | None, environ: Mapping[str, str]) -> Settings:
    """Work out the settings of one command.

    Raises: LocalError.
    """
    folder = _folder(environ)
    config = _config(folder / "config.toml")
    chosen = profile or environ.get("WHARFAGE_PROFILE") or config.get("profile") or _DEFAULT_PROFILE
    if not isinstance(chosen, str) or not _PROFILE.fullmatch(chosen):
        raise LocalError("bad_profile", profile=str(chosen))
    own = config.get("profiles", {}).get(chosen, {})
    found = url or environ.get("WHARFAGE_URL") or own.get("url")
    if not found:
        found = StoredSession(session_file(folder, chosen), url=None).url
    return Settings(
        profile=chosen,
        url=found.rstrip("/") if found else None,
        token=environ.get("WHARFAGE_TOKEN") or None,
        folder=folder,
    )


def session_file(folder: Path, profile: str) -> Path:
    """Name the file that keeps a profile's session."""
    return folder / "sessions" / f"{profile}.json"


def _folder(environ: Mapping[str, str]) -> Path:
    """Name the configuration folder: `WHARFAGE_CONFIG`, else the platform's own."""
    if given := environ.get("WHARFAGE_CONFIG"):
        return Path(given)
    from platformdirs import user_config_path

    return user_config_path("wharfage", appauthor=False)


def _config(file: Path) -> dict[str, Any]:
    import tomllib

    try:
        config = tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise LocalError("config_file", file=str(file), reason=str(error)) from error
    profiles = config.get("profiles", {})
    sound = isinstance(profiles, dict) and all(isinstance(own, dict) for own in profiles.values())
    unknown = sorted(set(config) - {"profile", "profiles"})
    if sound:
        unknown += sorted(name for own in profiles.values() for name in set(own) - {"url"})
    if unknown or not sound:
        reason = f"unknown: {', '.join(unknown)}" if unknown else "profiles is not a table"
        raise LocalError("config_file", file=str(file), reason=reason)
    return config
