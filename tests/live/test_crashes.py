"""What dies in the middle of the story, dies for real: the agent, the stack, every doorbell."""

import base64
import contextlib
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from infrastructure.local import engine
from infrastructure.local.emulator import POOL_QUEUE, REGION
from tests.fixtures.stack import Caller, RunningStack, running
from tests.fixtures.waiting import until

#: Writes a line each 0.1 s for four seconds: its log shows whether anything of it is missing.
COUNTING = ("sh", "-c", "for n in $(seq 1 40); do echo line $n; sleep 0.1; done; exit 7")
COUNTED = b"".join(b"line %d\n" % number for number in range(1, 41))


@pytest.fixture(scope="module")
def stack(engine_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    with running(tmp_path_factory.mktemp("crashes"), engine_url) as found:
        yield found


@pytest.fixture
def customer(stack: RunningStack) -> Caller:
    caller = Caller(url=stack.url).sign_up()
    caller.top_up(1000)
    return caller


def starts(stack: RunningStack, since: float, job: dict[str, Any]) -> int:
    """Count how often the engine started a container of a job, by its own account."""
    found = engine.probe(stack.engine_url)
    assert found is not None
    with contextlib.closing(engine.connect(found)) as client:
        events = client.events(
            since=since,
            until=time.time(),
            decode=True,
            filters={"event": ["start"], "type": "container"},
        )
        names = [event["Actor"]["Attributes"]["name"] for event in events]
    return sum(job["id"] in name for name in names)


def leftovers(stack: RunningStack, job: dict[str, Any]) -> list[str]:
    """Name the containers of a job that are still there."""
    found = engine.probe(stack.engine_url)
    assert found is not None
    with contextlib.closing(engine.connect(found)) as client:
        names = [name for each in client.containers(all=True) for name in each["Names"]]
    return [name for name in names if job["id"] in name]


def test_an_agent_killed_in_mid_job_is_followed_by_one_that_adopts_the_container(
    stack: RunningStack, customer: Caller
) -> None:
    began = time.time()
    job = customer.submit(stack.images[0], *COUNTING)
    customer.wait(job, status="running")
    until(lambda: b"line 5\n" in _so_far(customer, job), what="the first lines")

    killed = stack.kill_child("agent")
    ended = customer.wait(job)

    assert stack.record("agent").pid != killed
    assert (ended["status"], ended["exit_code"], ended["attempt"]) == ("failed", 7, 1)
    assert customer.log(job) == COUNTED
    assert starts(stack, began, job) == 1
    uses = [entry for entry in customer.ledger() if entry["code"] == "use"]
    assert [entry["amount_fen"] for entry in uses] == [-ended["cost_fen"]]
    until(lambda: not leftovers(stack, job), what="the removal of the container")


def test_a_stack_killed_whole_in_mid_story_loses_nothing_that_was_acknowledged(
    stack: RunningStack, customer: Caller
) -> None:
    began = time.time()
    running_job = customer.submit(stack.images[0], *COUNTING)
    customer.wait(running_job, status="running")
    waiting = [customer.submit(stack.images[0], "echo", str(number)) for number in range(3)]
    before = customer.ledger()

    stack.kill()
    stack.up()

    assert all(entry in customer.ledger() for entry in before)
    ended = customer.wait(running_job)
    assert (ended["status"], ended["exit_code"], ended["attempt"]) == ("failed", 7, 1)
    assert customer.log(running_job) == COUNTED
    assert starts(stack, began, running_job) == 1
    for number, job in enumerate(waiting):
        assert customer.wait(job)["status"] == "succeeded"
        assert customer.log(job) == b"%d\n" % number
    assert customer.quota()["held_fen"] == 0
    assert customer.adds_up()


def test_with_every_doorbell_deleted_all_jobs_still_end(
    stack: RunningStack, customer: Caller
) -> None:
    sqs = boto3.client(
        "sqs", endpoint_url=stack.stack.emulator_endpoint, region_name=REGION,
        aws_access_key_id="test", aws_secret_access_key="test",
    )  # fmt: skip
    queue = sqs.get_queue_url(QueueName=POOL_QUEUE)["QueueUrl"]
    done, deleted = threading.Event(), []

    def delete_bells() -> None:
        while not done.is_set():
            taken = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10)
            for message in taken.get("Messages", []):
                sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
                deleted.append(message["MessageId"])

    thief = threading.Thread(target=delete_bells)
    thief.start()
    try:
        jobs = [customer.submit(stack.images[0], "true") for _ in range(10)]
        ended = [customer.wait(job, seconds=150)["status"] for job in jobs]
    finally:
        done.set()
        thief.join()
        sqs.close()

    assert ended == ["succeeded"] * 10
    assert deleted


def test_a_clean_down_hands_running_work_back_and_the_next_up_runs_it(
    stack: RunningStack, customer: Caller
) -> None:
    job = customer.submit(
        stack.images[0], "sh", "-c", "test $WHARFAGE_ATTEMPT = 2 || sleep 600", stop_grace_s=1
    )
    customer.wait(job, status="running")

    stack.down()
    left = (stack.alive(), leftovers(stack, job))
    stack.up()
    ended = customer.wait(job)

    assert left == ([], [])
    assert (ended["status"], ended["attempt"]) == ("succeeded", 2)
    lost = [entry for entry in customer.ledger() if entry["reference"] == f"{job['id']}.1"]
    assert [entry["amount_fen"] for entry in lost] == [0]


def test_a_crash_of_any_child_is_said_and_mended(stack: RunningStack, customer: Caller) -> None:
    log: Path = stack.home / "up.log"
    for name in ("gateway", "emulator", "sandbox", "registry", "agent"):
        before = len(log.read_text())
        stack.kill_child(name)
        until(
            lambda name=name, before=before: (  # type: ignore[misc]
                f"{name} is running again" in log.read_text()[before:]
            ),
            seconds=40,
            what=f"the return of the {name}",
        )
        assert f"{name} stopped unexpectedly (signal 9)" in log.read_text()[before:]

    customer.sign_in()
    job = customer.submit(stack.images[1], "echo", "still here")

    assert customer.wait(job)["status"] == "succeeded"
    assert customer.log(job) == b"still here\n"


def _so_far(customer: Caller, job: dict[str, Any]) -> bytes:
    page = customer.get(f"/v1/jobs/{job['id']}/logs")
    return b"".join(base64.b64decode(part["data"]) for part in page["items"])
