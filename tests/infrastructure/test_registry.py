"""The registry's command: on loopback, in its own folder, and said when it is not installed."""

import json
import shutil

import pytest

from infrastructure.local import registry
from infrastructure.local.ports import Ports
from infrastructure.local.registry import RegistryMissing
from tests.fixtures.children import home


@pytest.mark.live
def test_it_is_configured_for_loopback_and_its_own_folder(tmp_path):
    paths = home(tmp_path)

    command = registry.registry(paths, port=24_321)
    command.before_start()

    written = json.loads((paths.registry / "config.json").read_text())
    assert written["http"]["addr"] == "127.0.0.1:24321"
    assert written["storage"]["filesystem"]["rootdirectory"].startswith(str(paths.registry))


def test_a_missing_registry_is_told_with_what_to_type(tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda _name: None)

    with pytest.raises(RegistryMissing, match="apt-get install --no-install-recommends"):
        registry.registry(home(tmp_path), port=24_321)


def test_a_port_without_a_listener_does_not_answer(tmp_path):
    assert not registry.answers(Ports(tmp_path / "ports.json").take("nobody"), "/v2/")


def test_it_is_named_as_references_name_it():
    assert registry.name(5000) == "localhost:5000"
