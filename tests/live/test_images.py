"""Images on a real engine: the demo image, and a pull by digest from a real registry."""

from contextlib import closing

import docker.errors
import pytest

from infrastructure.local import engine, images
from infrastructure.local.images import PushFailed


@pytest.fixture
def client(engine_of_tests):
    with closing(engine.connect(engine_of_tests)) as opened:
        yield opened


def run(client, image, *command) -> tuple[int, bytes]:
    """Run a container as the agent does, by the strictest rules; give exit code and output."""
    host = client.create_host_config(
        network_mode="none", read_only=True, cap_drop=["ALL"], security_opt=["no-new-privileges"]
    )
    made = client.create_container(
        image, list(command) or None, user="65534", network_disabled=True, host_config=host
    )
    try:
        client.start(made)
        code = client.wait(made)["StatusCode"]
        return code, client.logs(made)
    finally:
        client.remove_container(made, force=True)


def test_the_demo_image_runs_by_the_strictest_rules(client, demo_image):
    code, output = run(client, demo_image)

    assert code == 0
    assert output.startswith(b"Hello from Wharfage.\nThis ran as user 65534")


def test_the_demo_image_has_a_shell_and_the_usual_programs(client, demo_image):
    assert run(client, demo_image, "sh", "-c", "ls /bin | grep -c . && exit 7")[0] == 7


def test_the_demo_image_is_made_once(client, demo_image):
    first = images.demo(client)

    assert images.demo(client) == first


def test_a_pushed_image_is_pulled_by_its_digest(client, local_registry):
    pinned = local_registry.hello.pinned
    for reference in (pinned, local_registry.hello.reference):
        try:
            client.remove_image(reference)
        except docker.errors.ImageNotFound:
            continue

    client.pull(pinned)

    assert pinned in client.inspect_image(pinned)["RepoDigests"]
    assert run(client, pinned)[0] == 0


def test_a_digest_that_the_registry_lacks_is_not_found(client, local_registry):
    unknown = f"{local_registry.name}/demo/hello@sha256:{'0' * 64}"

    with pytest.raises(docker.errors.NotFound):
        client.pull(unknown)


def test_a_push_to_nowhere_is_told(client, demo_image):
    with pytest.raises(PushFailed, match="localhost:9/"):
        images.push(client, demo_image, registry="localhost:9", repository="x", tag="1")
