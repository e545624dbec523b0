"""Measures both network recipes on one engine, interleaved, for no-op jobs."""

import itertools
import secrets
import statistics
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from wharfage.domain.spec import JobSpec, OnHostLost
from wharfage.messages import Grant
from wharfage_agent import containers
from wharfage_agent.attempts import Image
from wharfage_agent.engine import DockerEngine
from wharfage_agent.errors import UnusableHost
from wharfage_agent.policy import Policy

LANES_PER_CPU = 2
WAIT_SECONDS = 60.0
LOOK_SECONDS = 0.01
LOG_BYTES = 1024 * 1024


@dataclass(frozen=True, kw_only=True, slots=True)
class Result:
    """Jobs a second of each recipe, medians over the rounds."""

    fast_per_second: float
    classic_per_second: float
    ratio: float  #: The median of the rounds' own ratios.


def measure(address: str, image: str, *, rounds: int, jobs: int) -> Result:
    """Run `true` *jobs* times a round and recipe. Raises: EngineAway, UnusableHost."""
    host = f"hst_{secrets.token_hex(8)}"
    engine = DockerEngine(address, host=host)
    found = engine.image(image)
    if found is None:
        raise UnusableHost(f"{image} is not on this engine.")
    fast, classic = [], []
    for _ in range(rounds):
        fast.append(_rate(engine, found, Policy(network_recipe="fast"), host, jobs))
        classic.append(_rate(engine, found, Policy(network_recipe="classic"), host, jobs))
    return Result(
        fast_per_second=statistics.median(fast),
        classic_per_second=statistics.median(classic),
        ratio=statistics.median(f / c for f, c in zip(fast, classic, strict=True)),
    )


def _rate(engine: DockerEngine, image: Image, policy: Policy, host: str, jobs: int) -> float:
    machine = engine.machine()
    numbers = itertools.count(1)

    def job(_: int) -> None:
        grant = _grant(next(numbers))
        config = containers.config(
            grant, image, host=host, boot=host, machine=machine, policy=policy, hosts_file=None
        )
        made = engine.create(f"wharfage-bench-{secrets.token_hex(8)}", config)
        try:
            engine.start(made.id)
            _await_end(engine, made.id)
        finally:
            engine.remove(made.id, force=True)

    began = time.monotonic()
    with ThreadPoolExecutor(LANES_PER_CPU * machine.cpu_count) as pool:
        list(pool.map(job, range(jobs)))
    return jobs / (time.monotonic() - began)


def _await_end(engine: DockerEngine, container: str) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < deadline:
        seen = engine.inspect(container)
        if seen is None or seen.exited:
            return
        time.sleep(LOOK_SECONDS)


def _grant(number: int) -> Grant:
    return Grant(
        account="acc_bench",
        job=f"job_bench{number}",
        attempt=1,
        claim_id="clm_bench",
        lease_seconds=0,
        spec=JobSpec(image="bench", command=("true",), on_host_lost=OnHostLost.RERUN),
        max_run_s=60,
        image_digest=None,
        log_cap_bytes=LOG_BYTES,
        preparing_seconds=60,
        starting_seconds=60,
    )
