"""A child's first instants: it writes its pid file, ties its life to ours, becomes the program.

It runs as a script of the standard library (`python -I -S launcher.py RECORD PARENT PROGRAM ...`).
That the child itself writes the pid file, before it is the program, leaves no instant in which a
program runs and no file names it. The kernel sends it KILL when its parent dies (PARENT is 0 for
a child that is to outlive us): every child survives a kill -9 by design, so a kill is enough.
"""

import ctypes
import json
import os
import signal
import sys
from pathlib import Path

#: The variable by which a child and its descendants are known again, even after a pid was reused.
TOKEN_VARIABLE = "WHARFAGE_PROCESS"

_PR_SET_PDEATHSIG = 1
_CANNOT_EXECUTE = 127


def boot_id() -> str:
    """Name this boot of the machine: pids and start times mean nothing in another."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def started_at(pid: int) -> int | None:
    """Read when *pid* was started, in clock ticks since boot; None when it is gone or a zombie."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The second field is the program's name and may hold anything, so count from its last bracket.
    fields = text[text.rindex(")") + 2 :].split()
    return None if fields[0] in "ZX" else int(fields[19])


def write_record(path: Path, pid: int, token: str) -> None:
    """Say in a file of mode 0600 who *pid* is, so that nobody else is ever taken for it."""
    record = {"pid": pid, "started": started_at(pid), "boot": boot_id(), "token": token}
    draft = path.with_name(f".{path.name}.{pid}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump(record, file)
    draft.replace(path)


def main() -> None:
    record, parent, program = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]
    if parent:
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # It died before we could ask to die with it.
            sys.exit(_CANNOT_EXECUTE)
    write_record(record, os.getpid(), os.environ[TOKEN_VARIABLE])
    try:
        os.execvpe(program[0], program, os.environ)
    except OSError as error:
        print(f"{program[0]}: {error.strerror}", file=sys.stderr)
        sys.exit(_CANNOT_EXECUTE)


if __name__ == "__main__":
    main()
