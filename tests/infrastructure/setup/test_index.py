"""Where packages come from, for every way a machine can be configured."""

from pathlib import Path

import pytest

from infrastructure.setup.index import PYPI, configured, uv_environment, uv_trust

PIP_CONF = """
[global]
index-url = https://mirror.example/simple
find-links = /wheels
[install]
extra-index-url =
    https://one.example/simple
    https://two.example/simple
cert = /bundle.pem
"""


@pytest.fixture
def home(tmp_path: Path) -> dict[str, str]:
    """Give the environment of a user whose home is empty and who reads no file but their own."""
    return {"HOME": str(tmp_path), "PIP_CONFIG_FILE": str(tmp_path / "pip.conf")}


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_without_any_settings_packages_come_from_pypi():
    assert configured({"HOME": "/nonexistent", "PIP_CONFIG_FILE": "/dev/null"}).urls == (PYPI,)


def test_pip_files_name_indexes_links_and_certificates(home: dict[str, str], tmp_path: Path):
    write(tmp_path / "pip.conf", PIP_CONF)

    index = configured(home)

    assert index.urls == (
        "https://mirror.example/simple",
        "https://one.example/simple",
        "https://two.example/simple",
    )
    assert index.find_links == ("/wheels",)
    assert index.certificates == "/bundle.pem"


def test_pip_variables_are_stronger_than_pip_files(home: dict[str, str], tmp_path: Path):
    write(tmp_path / "pip.conf", PIP_CONF)

    index = configured({**home, "PIP_INDEX_URL": "https://other.example/simple"})

    assert index.default == "https://other.example/simple"


def test_the_users_own_pip_file_is_read(tmp_path: Path):
    write(tmp_path / ".config" / "pip" / "pip.conf", PIP_CONF)

    assert configured({"HOME": str(tmp_path)}).default == "https://mirror.example/simple"


def test_uv_settings_are_taken_instead_of_pip_settings(home: dict[str, str], tmp_path: Path):
    write(tmp_path / "pip.conf", PIP_CONF)
    write(
        tmp_path / ".config" / "uv" / "uv.toml",
        '[[index]]\nurl = "https://uv.example/simple"\ndefault = true\n'
        '[[index]]\nurl = "https://more.example/simple"\n',
    )

    index = configured(home)

    assert index.urls == ("https://uv.example/simple", "https://more.example/simple")


def test_uv_variables_are_stronger_than_uv_files(home: dict[str, str], tmp_path: Path):
    write(tmp_path / ".config" / "uv" / "uv.toml", 'index-url = "https://uv.example/simple"\n')

    index = configured({**home, "UV_DEFAULT_INDEX": "https://strong.example/simple"})

    assert index.default == "https://strong.example/simple"


def test_uv_is_told_in_its_own_words_what_pip_is_configured_for(
    home: dict[str, str], tmp_path: Path
):
    write(tmp_path / "pip.conf", PIP_CONF)

    environ = uv_environment({**home, "PIP_DEFAULT_TIMEOUT": "180"})

    assert environ["UV_DEFAULT_INDEX"] == "https://mirror.example/simple"
    assert environ["UV_INDEX"] == "https://one.example/simple https://two.example/simple"
    assert environ["UV_FIND_LINKS"] == "/wheels"
    assert environ["SSL_CERT_FILE"] == "/bundle.pem"
    assert environ["UV_HTTP_TIMEOUT"] == "180"


def test_uv_trusts_whom_the_machine_trusts(home: dict[str, str]):
    assert uv_trust(home)["UV_SYSTEM_CERTS"] == "1"
    assert uv_trust({**home, "PIP_CERT": "/bundle.pem"})["SSL_CERT_FILE"] == "/bundle.pem"


def test_what_uv_is_configured_for_is_left_to_it(home: dict[str, str], tmp_path: Path):
    write(tmp_path / "pip.conf", PIP_CONF)

    environ = uv_environment({**home, "UV_INDEX_URL": "https://uv.example/simple"})

    assert environ["UV_INDEX_URL"] == "https://uv.example/simple"
    assert "UV_DEFAULT_INDEX" not in environ
    assert "UV_INDEX" not in environ
