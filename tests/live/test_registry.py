"""The registry: on loopback only, and its content survives a restart."""

import urllib.request

from infrastructure.local import registry
from infrastructure.local.ports import Ports
from infrastructure.local.process import Process
from tests.fixtures.children import home


def test_it_serves_what_was_pushed(local_registry):
    url = f"http://127.0.0.1:{local_registry.port}/v2/demo/hello/tags/list"

    with urllib.request.urlopen(url) as answer:
        assert b'"tags":["1"]' in answer.read()


def test_it_starts_again_on_the_same_port_and_folder(tmp_path):
    paths = home(tmp_path)
    port = Ports(paths.ports).take("registry")

    for _ in range(2):
        process = Process(registry.registry(paths, port=port), paths)
        process.start()
        try:
            process.wait_ready()
            assert registry.answers(port, "/v2/")
        finally:
            process.stop()

    assert not registry.answers(port, "/v2/")
