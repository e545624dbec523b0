"""Finding an engine: what answers, which version is spoken, and what is said when there is none."""

import http.server
import json
import os
import socketserver
import threading
from contextlib import contextmanager

import pytest

from infrastructure.local import engine
from infrastructure.local.engine import Engine, EngineMissing, EngineUnusable
from tests.fixtures.children import home


@contextmanager
def answering(socket_path, *, api="1.41", oldest="1.12", version="20.10.24"):
    """Answer `/version` on a unix socket as an engine of these versions does."""
    body = json.dumps({"ApiVersion": api, "MinAPIVersion": oldest, "Version": version}).encode()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200 if self.path == "/version" else 400)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_arguments):
            """Say nothing."""

        def address_string(self):
            return "unix"

    with socketserver.ThreadingUnixStreamServer(str(socket_path), Handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"unix://{socket_path}"
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def alone(monkeypatch):
    """Hide the engines that this machine may really have."""
    monkeypatch.setattr(engine, "_SYSTEM_SOCKETS", ())


@pytest.mark.parametrize(
    ("api", "oldest", "spoken"),
    [("1.41", "1.12", "1.41"), ("1.47", "1.24", "1.47"), ("1.52", "1.44", "1.47")],
)
def test_the_newest_version_that_both_speak_is_spoken(tmp_path, api, oldest, spoken):
    with answering(tmp_path / "s", api=api, oldest=oldest, version="x") as url:
        found = engine.probe(url)

    assert found == Engine(url=url, api_version=spoken, version="x")


@pytest.mark.parametrize(("api", "oldest"), [("1.40", "1.12"), ("1.60", "1.48")])
def test_an_engine_without_a_common_version_is_refused(tmp_path, api, oldest):
    with (
        answering(tmp_path / "s", api=api, oldest=oldest) as url,
        pytest.raises(EngineUnusable, match="speak"),
    ):
        engine.probe(url)


def test_nothing_at_a_socket_is_no_engine(tmp_path):
    assert engine.probe(f"unix://{tmp_path / 'absent'}") is None


def test_docker_host_comes_first(tmp_path, alone):
    with answering(tmp_path / "named") as url:
        found = engine.find({"DOCKER_HOST": url})

    assert found is not None
    assert found.url == url


def test_a_docker_host_that_does_not_answer_is_told_and_not_passed_over(tmp_path):
    with pytest.raises(EngineUnusable, match="DOCKER_HOST"):
        engine.find({"DOCKER_HOST": f"unix://{tmp_path / 'absent'}"})


def test_the_system_socket_is_found(tmp_path, monkeypatch):
    monkeypatch.setattr(engine, "_SYSTEM_SOCKETS", (str(tmp_path / "absent"), str(tmp_path / "s")))

    with answering(tmp_path / "s") as url:
        found = engine.find({})

    assert found is not None
    assert found.url == url


def test_podmans_socket_in_the_session_is_found(tmp_path, alone):
    (tmp_path / "podman").mkdir()

    with answering(tmp_path / "podman" / "podman.sock") as url:
        found = engine.find({"XDG_RUNTIME_DIR": str(tmp_path)})

    assert found is not None
    assert found.url == url


def test_where_none_runs_none_is_found(tmp_path, alone):
    assert engine.find({"XDG_RUNTIME_DIR": str(tmp_path)}) is None


def test_who_is_not_root_is_told_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setattr(engine, "_root", lambda: False)

    with pytest.raises(EngineMissing, match="DOCKER_HOST"):
        engine.own(home(tmp_path))


def test_root_without_dockerd_is_told_what_to_type(tmp_path, monkeypatch):
    monkeypatch.setattr(engine, "_root", lambda: True)
    monkeypatch.setattr(engine, "_search_path", lambda: str(tmp_path))

    with pytest.raises(EngineMissing, match="apt-get install"):
        engine.own(home(tmp_path))


@pytest.mark.live
def test_an_own_engine_is_configured_apart_from_every_other(tmp_path, monkeypatch):
    monkeypatch.setattr(engine, "_root", lambda: True)
    paths = home(tmp_path)

    command = engine.own(paths)
    command.before_start()

    written = json.loads((paths.runtime / "docker.json").read_text())
    assert command.outlives
    assert written["live-restore"] is True
    assert written["hosts"] == [f"unix://{paths.runtime}/docker.sock"]
    assert all(
        written[key].startswith(str(tmp_path)) for key in ("data-root", "exec-root", "pidfile")
    )


@pytest.mark.live
def test_without_iptables_an_own_engine_has_no_bridge(tmp_path, monkeypatch):
    monkeypatch.setattr(engine, "_root", lambda: True)
    monkeypatch.setattr(engine, "_iptables_works", lambda: False)
    paths = home(tmp_path)

    engine.own(paths).before_start()

    written = json.loads((paths.runtime / "docker.json").read_text())
    assert (written["iptables"], written["bridge"]) == (False, "none")


@pytest.mark.live
def test_stale_pid_files_do_not_stop_the_next_start(tmp_path, monkeypatch):
    monkeypatch.setattr(engine, "_root", lambda: True)
    paths = home(tmp_path)
    ours = [paths.runtime / "docker.pid", paths.runtime / "engine/containerd/containerd.pid"]
    for file in ours:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(str(os.getpid()))

    engine.own(paths).before_start()

    assert [file.exists() for file in ours] == [False, False]
