"""What `./dev test` and `./dev check` do: stages, each timed, all run, and one honest end."""

import os
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from infrastructure.setup.console import say, say_table, typed
from infrastructure.setup.environments import SAM
from infrastructure.setup.layout import CACHE, ROOT, VAR, VENV, child_environment


@dataclass(frozen=True, kw_only=True, slots=True)
class Stage:
    """One check: a command that exits 0 when all is well."""

    name: str
    command: tuple[str, ...]
    environ: Mapping[str, str] = field(default_factory=child_environment)


@dataclass(frozen=True, kw_only=True, slots=True)
class Result:
    """How a stage ended, and after how long."""

    stage: Stage
    code: int
    seconds: float


def tool(name: str, *arguments: str) -> tuple[str, ...]:
    """Give the command that runs a program of the project's environment."""
    return (str(VENV / "bin" / name), *arguments)


def form() -> list[Stage]:
    return [Stage(name="format", command=tool("ruff", "format", "--check", "."))]


def lint() -> list[Stage]:
    return [
        *form(),
        Stage(name="lint", command=tool("ruff", "check", ".")),
        Stage(name="types", command=tool("mypy")),
        Stage(name="imports", command=imports()),
    ]


def imports() -> tuple[str, ...]:
    return tool("lint-imports", "--no-logo", "--cache-dir", str(CACHE / "import-linter"))


def tests() -> list[Stage]:
    """Give the tests that need nothing but this environment: on all cores where there are any."""
    spread = ("-n", "auto") if (os.cpu_count() or 1) > 1 else ()
    return [Stage(name="tests", command=tool("pytest", "-m", "not live", "-q", *spread))]


def live() -> list[Stage]:
    """Give the tests on real parts, one after another: they share the engine and the cores."""
    return [Stage(name="live", command=tool("pytest", "-m", "live", "-v"))]


def chosen(arguments: Sequence[str]) -> list[Stage]:
    return [Stage(name="pytest", command=tool("pytest", *arguments))]


def sam() -> list[Stage]:
    """Give validation and build of the AWS template: with no account and no Docker."""
    program = str(SAM.path / "bin" / "sam")
    version = _python_version()
    environ = child_environment()
    environ |= {
        "AWS_DEFAULT_REGION": environ.get("AWS_DEFAULT_REGION", "eu-central-1"),
        "PATH": os.pathsep.join([str(SAM.path / "bin"), environ["PATH"]]),
        "PythonRuntime": f"python{version}",  # For the layers' Makefiles, which SAM tells nothing.
        "SAM_CLI_TELEMETRY": "0",
        "__SAM_CLI_APP_DIR": str(CACHE / "sam"),  # Else it writes into the home directory.
    }
    built = str(VAR / "sam" / "build")
    runtime = ("--parameter-overrides", f"PythonRuntime=python{version}")
    nested = sorted(map(str, (ROOT / "infrastructure").glob("*.yaml")))
    return [
        Stage(name="sam validate", command=(program, "validate", "--lint"), environ=environ),
        # Validation looks at one template; what that includes is looked at by the same linter.
        Stage(name="sam nested", command=(str(SAM.path / "bin" / "cfn-lint"), *nested)),
        Stage(
            name="sam build",
            command=(program, "build", "--build-dir", built, *runtime),
            environ=environ,
        ),
    ]


def run(stages: Sequence[Stage]) -> bool:
    """Run every stage, also after one has failed; tell whether all went well."""
    results = [_run(stage) for stage in stages]
    failed = [result for result in results if result.code != 0]
    say()
    say_table([(_verdict(r), r.stage.name, f"{r.seconds:7.1f} s") for r in results])
    total = sum(result.seconds for result in results)
    say(f"{len(results) - len(failed)} of {len(results)} passed in {total:.1f} s.")
    for result in failed:
        say(f"Again, alone: {_shortly(result.stage)}")
    return not failed


def _run(stage: Stage) -> Result:
    say(f"\n== {stage.name}: {_shortly(stage)}")
    began = time.monotonic()
    code = subprocess.run(stage.command, check=False, cwd=ROOT, env=dict(stage.environ)).returncode
    result = Result(stage=stage, code=code, seconds=time.monotonic() - began)
    say(f"== {stage.name}: {_verdict(result)} after {result.seconds:.1f} s")
    return result


def _verdict(result: Result) -> str:
    return "ok" if result.code == 0 else f"FAILED ({result.code})"


def _shortly(stage: Stage) -> str:
    return typed(stage.command).replace(f"{ROOT}/", "")


def _python_version() -> str:
    """Give the version of the environment's Python as Lambda names it: 3.11."""
    lines = (VENV / "pyvenv.cfg").read_text().splitlines()
    fields = dict(line.split(" = ", 1) for line in lines if " = " in line)
    version = fields.get("version_info") or fields["version"]
    return ".".join(version.split(".")[:2])
