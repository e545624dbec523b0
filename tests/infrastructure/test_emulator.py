"""The emulator's command and policies: loopback, checked requests, no engine, no more rights."""

from infrastructure.local import emulator
from infrastructure.local.emulator import AGENT_ACTIONS, POOL_QUEUE, Emulator, queue_policy
from tests.fixtures.children import home


def test_it_listens_on_loopback_and_checks_requests(tmp_path):
    found = Emulator(port=24_567)

    environ = emulator.emulator(home(tmp_path), found).env

    assert environ["BIND_HOST"] == "127.0.0.1"
    assert environ["GATEWAY_PORT"] == "24567"
    assert environ["AUTH"] == "true"


def test_it_opens_no_other_listener_and_reaches_no_engine(tmp_path):
    environ = emulator.emulator(home(tmp_path), Emulator(port=24_567)).env

    assert environ["IOT_MTLS_ENABLED"] == "0"
    assert environ["SFTP_ENABLED"] == "0"
    assert environ["DOCKER_HOST"].endswith("/no-engine.sock")
    assert environ["SERVICES"] == "iam,sqs,sts"


def test_its_root_is_who_the_control_plane_signs_as(tmp_path):
    found = Emulator(port=24_567)

    theirs = emulator.emulator(home(tmp_path), found).env

    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        assert theirs[name] == found.environ()[name]


def test_every_start_has_new_credentials_and_shows_no_secret():
    one, two = Emulator(port=1), Emulator(port=1)

    assert one.secret_key != two.secret_key
    assert one.secret_key not in repr(one)


def test_an_agents_policy_takes_from_its_queues_and_gives_to_none():
    (statement,) = queue_policy(POOL_QUEUE, "wharfage-local-host-h1")["Statement"]

    assert statement["Resource"] == [
        "arn:aws:sqs:us-east-1:000000000000:wharfage-local-pool-default",
        "arn:aws:sqs:us-east-1:000000000000:wharfage-local-host-h1",
    ]
    assert set(statement["Action"]) == set(AGENT_ACTIONS)
    assert not any("Send" in action or "*" in action for action in AGENT_ACTIONS)
