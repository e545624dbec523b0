"""The real agent process on a real engine, against a control plane in memory."""

import contextlib
import random
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.agent.fake_cloud import FakeControl, Work
from tests.agent.fake_server import FakeServer
from tests.agent.fakes import grant
from tests.fixtures.agent_process import Agent
from tests.fixtures.machine import Registry
from wharfage.domain.attempt import AttemptState, ReasonCode
from wharfage.domain.log import Stream
from wharfage.domain.price import Resources
from wharfage.domain.spec import JobSpec
from wharfage.messages import Grant
from wharfage_agent import containers
from wharfage_agent.attempts import Image, Key
from wharfage_agent.engine import DockerEngine
from wharfage_agent.errors import CloudAway, NotRunning, NotThere
from wharfage_agent.identity import State
from wharfage_agent.policy import Policy

SMALL = Resources(cpu_millis=300, memory_mb=32, disk_mb=16)


@pytest.fixture
def control() -> FakeControl:
    return FakeControl()


@pytest.fixture
def server(control: FakeControl) -> Iterator[FakeServer]:
    server = FakeServer(control)
    yield server
    server.close()


@pytest.fixture
def engine(engine_url: str, server: FakeServer) -> Iterator[DockerEngine]:
    engine = DockerEngine(engine_url, host=server.control.host)
    yield engine
    for container in engine.containers():
        with contextlib.suppress(NotThere, NotRunning):  # A killed agent's last call may land.
            engine.remove(container.id, force=True)


@pytest.fixture
def agent(
    tmp_path: Path, engine_url: str, engine: DockerEngine, server: FakeServer, demo_image: str
) -> Iterator[Agent]:
    agent = Agent(tmp_path, engine_url, server, demo_image)
    agent.begin()
    yield agent
    if agent.alive:
        agent.kill()


@pytest.fixture
def shell(control: FakeControl, demo_image: str) -> Callable[..., Work]:
    def submit(script: str, **changes: object) -> Work:
        spec = JobSpec(
            image=demo_image,
            entrypoint=("/bin/sh", "-c"),
            command=(script,),
            resources=SMALL,
            **changes,  # type: ignore[arg-type]
        )
        return control.submit(spec)

    return submit


def until(done: Callable[[], object], *, within: float = 30.0) -> None:
    deadline = time.monotonic() + within
    while not done():
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.02)


def output(work: Work, stream: Stream = Stream.STDOUT) -> bytes:
    return bytes(work.outputs[stream].data)


def test_exits_are_reported_with_output_and_nothing_is_left(
    agent: Agent, engine: DockerEngine, shell: Callable[..., Work]
) -> None:
    fine = shell("echo out; echo err >&2; touch /wharfage/x && echo $WHARFAGE_ATTEMPT")
    three = shell("exit 3")
    hungry = shell("x=$(yes | tr -d '\\n' | head -c 100000000); echo ${#x}")
    killed = shell("kill -9 $$")

    until(lambda: all(work.complete for work in (fine, three, hungry, killed)))

    assert (fine.state, output(fine)) == (AttemptState.SUCCEEDED, b"out\n1\n")
    assert output(fine, Stream.STDERR) == b"err\n"
    told = [(w.terminal.reason_code, w.terminal.exit_code, w.terminal.signal, w.terminal.oom)
            for w in (three, hungry, killed) if w.terminal is not None]  # fmt: skip
    assert told == [
        (ReasonCode.EXIT_CODE, 3, None, False),
        (ReasonCode.OUT_OF_MEMORY, 137, 9, True),
        (ReasonCode.EXIT_CODE, 137, 9, False),
    ]
    until(lambda: not engine.containers())


def test_a_program_that_is_not_there_is_named_as_such(
    agent: Agent, control: FakeControl, demo_image: str
) -> None:
    spec = JobSpec(image=demo_image, entrypoint=("/no/such/program",), resources=SMALL)
    work = control.submit(spec)

    until(lambda: work.terminal is not None)

    assert work.terminal is not None
    assert work.terminal.reason_code is ReasonCode.COMMAND_NOT_FOUND


def test_a_job_is_locked_in(agent: Agent, shell: Callable[..., Work]) -> None:
    work = shell(
        "id -u; grep -E '^(CapEff|NoNewPrivs|Seccomp):' /proc/self/status;"
        " touch /etc/x 2>/dev/null || echo read-only; cat /proc/net/dev | wc -l; cat /etc/hosts"
    )

    until(lambda: work.complete)

    lines = output(work).decode().split("\n")
    assert lines[0] == "65534"
    assert lines[1].split() == ["CapEff:", "0" * 16]
    assert lines[2].split() == ["NoNewPrivs:", "1"]
    assert lines[3].split() == ["Seccomp:", "2"]
    assert lines[4:6] == ["read-only", "3"]  # Two lines of heading, and lo.
    assert lines[6].split() == ["127.0.0.1", "localhost"]


def test_a_cancelled_job_is_gone_within_grace_and_ten_seconds(
    agent: Agent, control: FakeControl, engine: DockerEngine, shell: Callable[..., Work]
) -> None:
    work = shell("trap '' TERM; while :; do sleep 1; done", stop_grace_s=2)
    until(lambda: work.state is AttemptState.RUNNING)
    asked_at = time.monotonic()

    control.stop(work)
    until(lambda: work.terminal is not None and not engine.containers())

    assert work.state is AttemptState.CANCELLED
    assert 2 <= time.monotonic() - asked_at < 12


def test_a_job_over_its_run_limit_is_timed_out(agent: Agent, shell: Callable[..., Work]) -> None:
    work = shell("sleep 60", max_run_s=1, stop_grace_s=1)

    until(lambda: work.complete)

    assert work.state is AttemptState.TIMED_OUT


def _shipped_or_complete(work: Work, size: int) -> bool:
    return len(output(work)) > size or work.complete


COUNTING = "i=0; while [ $i -lt 3000 ]; do echo line $i; echo err $i >&2; i=$((i+1)); {pause}; done"


def test_logs_are_whole_though_the_agent_is_killed_again_and_again(
    agent: Agent, engine: DockerEngine, shell: Callable[..., Work]
) -> None:
    work = shell(COUNTING.format(pause="[ $((i % 100)) = 0 ] && sleep 0.2 || :"), max_run_s=60)
    until(lambda: work.state is AttemptState.RUNNING)

    for kill in range(1, 5):
        shipped = 4000 * kill
        until(partial(_shipped_or_complete, work, shipped))
        agent.kill()
        agent.begin()
    until(lambda: work.complete, within=60)

    assert output(work) == b"".join(b"line %d\n" % i for i in range(3000))
    assert output(work, Stream.STDERR) == b"".join(b"err %d\n" % i for i in range(3000))
    assert work.state is AttemptState.SUCCEEDED
    until(lambda: not engine.containers())


def test_a_result_that_came_while_the_agent_was_dead_is_reported(
    agent: Agent, engine: DockerEngine, shell: Callable[..., Work]
) -> None:
    work = shell("echo before; sleep 1; echo after; exit 5")
    until(lambda: work.state is AttemptState.RUNNING)
    agent.kill()
    until(lambda: [c.status for c in engine.containers()] == ["exited"])

    agent.begin()
    until(lambda: work.complete)

    assert work.terminal is not None
    assert (work.terminal.exit_code, output(work)) == (5, b"before\nafter\n")


def test_an_outage_of_the_control_plane_stalls_no_job_and_loses_no_output(
    agent: Agent, control: FakeControl, engine: DockerEngine, shell: Callable[..., Work]
) -> None:
    work = shell("yes 0123456789abcde | head -c 4000000; echo done >&2")

    def cut(call: str, done: bool) -> None:
        if call in ("logs", "reports"):
            raise CloudAway("cut")

    control.fault = cut
    until(lambda: [c.status for c in engine.containers()] == ["exited"])
    control.fault = lambda call, done: None
    until(lambda: work.complete, within=90)

    assert output(work) == b"0123456789abcde\n" * 250_000
    assert output(work, Stream.STDERR) == b"done\n"


def test_output_over_the_cap_is_cut_there_and_says_so(
    agent: Agent, control: FakeControl, shell: Callable[..., Work]
) -> None:
    control.log_cap_bytes = 100_000
    work = shell("yes 0123456789abcde | head -c 400000; echo done >&2")

    until(lambda: work.complete)

    assert work.state is AttemptState.SUCCEEDED
    assert output(work) == (b"0123456789abcde\n" * 6250)
    assert work.outputs[Stream.STDOUT].truncated
    assert not work.outputs[Stream.STDERR].truncated


def test_a_container_that_an_earlier_life_created_is_never_started(
    agent: Agent, control: FakeControl, engine: DockerEngine, demo_image: str
) -> None:
    until(lambda: control.beats)
    agent.kill()
    work = control.submit(JobSpec(image=demo_image, entrypoint=("true",), resources=SMALL))
    work.claim = _leftover(engine, control, work, demo_image)
    work.state, work.boot = AttemptState.CLAIMED, control.boot

    agent.begin()
    until(lambda: work.terminal is not None and not engine.containers())

    assert work.terminal is not None
    assert (work.state, work.terminal.reason_code, work.terminal.started) == (
        AttemptState.REJECTED,
        ReasonCode.NOT_STARTED,
        False,
    )


def _leftover(engine: DockerEngine, control: FakeControl, work: Work, image: str) -> Grant:
    """Create what a life that died between create and start leaves behind."""
    claim = grant(job=work.job, spec=work.spec)
    found = engine.image(image)
    assert isinstance(found, Image)
    config = containers.config(
        claim,
        found,
        host=control.host,
        boot="bot_0000dead",
        machine=engine.machine(),
        policy=Policy(),
        hosts_file=None,
    )
    engine.create(Key(work.job, 1).container, config)
    return claim


def test_an_image_is_pulled_by_the_digest_of_its_tag_which_is_reported(
    agent: Agent, control: FakeControl, local_registry: Registry, engine: DockerEngine
) -> None:
    image = f"{local_registry.name}/demo/hello:1"
    spec = JobSpec(image=image, entrypoint=("true",), resources=SMALL)

    first = control.submit(spec)
    until(lambda: first.complete)

    assert first.terminal is not None
    assert first.state is AttemptState.SUCCEEDED
    digest = first.terminal.image_digest
    assert digest is not None
    assert engine.image(f"{local_registry.name}/demo/hello@{digest}") is not None


def test_an_image_that_the_registry_does_not_have_is_named_as_such(
    agent: Agent, control: FakeControl, local_registry: Registry
) -> None:
    tag = control.submit(JobSpec(image=f"{local_registry.name}/demo/hello:none", resources=SMALL))
    name = control.submit(JobSpec(image=f"{local_registry.name}/no/such:1", resources=SMALL))

    until(lambda: tag.terminal is not None and name.terminal is not None)

    reasons = {work.terminal.reason_code for work in (tag, name) if work.terminal is not None}
    assert reasons == {ReasonCode.IMAGE_NOT_FOUND}


def test_a_handover_leaves_what_runs_to_the_next_life(
    agent: Agent, engine: DockerEngine, shell: Callable[..., Work]
) -> None:
    agent.kill()
    agent.begin("--handover")
    work = shell("sleep 3; echo whole")
    until(lambda: work.state is AttemptState.RUNNING)

    code = agent.end()
    left = [container.status for container in engine.containers()]
    agent.begin()
    until(lambda: work.complete)

    assert (code, left) == (0, ["running"])
    assert (work.state, output(work)) == (AttemptState.SUCCEEDED, b"whole\n")


def test_draining_finishes_what_runs_and_then_ends(
    agent: Agent, control: FakeControl, engine: DockerEngine, shell: Callable[..., Work]
) -> None:
    work = shell("sleep 2; echo whole")
    until(lambda: work.state is AttemptState.RUNNING)

    code = agent.end()

    assert code == 0
    assert (work.state, output(work)) == (AttemptState.SUCCEEDED, b"whole\n")
    assert not engine.containers()


def test_an_agent_whose_place_was_taken_leaves_and_says_why(
    agent: Agent, control: FakeControl
) -> None:
    until(lambda: control.beats)

    control.boot = "bot_other"

    assert agent._process is not None
    assert agent._process.wait(timeout=20) == 1


def test_a_second_agent_on_the_same_state_refuses_to_begin(
    agent: Agent, control: FakeControl
) -> None:
    until(lambda: control.beats)

    second = agent.command("run")

    assert second.returncode == 1
    assert b"Another agent" in second.stderr


def test_enrolling_keeps_the_token_from_others(agent: Agent, control: FakeControl) -> None:
    state = State(agent.state)

    mode = (agent.state / "host.json").stat().st_mode & 0o777

    assert mode == 0o600
    assert state.identity.host == control.host


def test_doctor_finds_a_host_well(agent: Agent) -> None:
    found = agent.command("doctor")

    assert found.returncode == 0, found.stdout.decode()


@pytest.mark.slow
def test_nothing_is_lost_doubled_or_orphaned_by_killing_the_agent_at_random(
    agent: Agent, engine: DockerEngine, shell: Callable[..., Work]
) -> None:
    chance = random.Random(20)
    script = "echo begin; i=0; while [ $i -lt 20 ]; do echo $i; i=$((i+1)); {}; done; exit 4"
    works = [shell(script.format(f"sleep {chance.choice((0, 0.02, 0.1))}")) for _ in range(40)]

    for _ in range(25):
        time.sleep(chance.uniform(0.05, 1.0))  # Where in its work the agent is hit is the point.
        agent.kill()
        agent.begin()
    until(lambda: all(work.complete for work in works), within=120)
    until(lambda: not engine.containers())

    whole = b"begin\n" + b"".join(b"%d\n" % i for i in range(20))
    for work in works:
        assert work.terminal is not None
        assert output(work) == (whole if work.terminal.started else b"")
        assert work.terminal.exit_code == (4 if work.terminal.started else None)
