"""What can go wrong outside the agent: it will pass, or it will not.

AgentError
├── WillPass                  tried again, with back-off and jitter
│   ├── CloudAway             the control plane did not answer, or answered that it is busy
│   ├── InboxAway             the queue did not answer
│   ├── FilesAway             where files are kept did not answer, or not in time
│   ├── EngineAway            the engine did not answer; what was asked of it may still happen
│   └── DiskFull              the journal cannot be written
└── WillNotPass               the same request would fail in the same way
    ├── CloudRefused          the control plane understood and said no
    │   ├── Fenced            another start with this host's token has taken its place
    │   └── Revoked           the token is not accepted (any more)
    ├── FilesRefused          a file is not given, not taken, or is not what it should be
    └── EngineRefused         the engine understood and said no
        ├── NameTaken         a container of that name exists
        ├── NotThere          there is no such container, image or file
        ├── NotAFile          it is a folder, a link, a device, or behind a link
        └── NotRunning        the container has ended already, or has not begun
"""

from dataclasses import dataclass

from wharfage.domain.attempt import ReasonCode


class AgentError(Exception):
    """Something outside the agent went wrong."""


class WillPass(AgentError):
    """Worth trying again."""


class CloudAway(WillPass):
    """The control plane did not answer, or answered that it is busy."""


class InboxAway(WillPass):
    """The queue did not answer."""


class FilesAway(WillPass):
    """Where files are kept did not answer, or not in time."""


class EngineAway(WillPass):
    """The engine did not answer. What was asked of it may still happen."""


class DiskFull(WillPass):
    """The journal cannot be written."""


class WillNotPass(AgentError):
    """Trying again would fail in the same way."""


@dataclass(eq=False)
class CloudRefused(WillNotPass):
    """The control plane understood and said no: an HTTP status, and a problem's stable code."""

    status: int
    code: str

    def __str__(self) -> str:
        return f"the control plane refused: {self.status} {self.code}"


class Fenced(CloudRefused):
    """Another start with this host's token has taken this one's place."""


class Revoked(CloudRefused):
    """The host's token is not accepted."""


class FilesRefused(WillNotPass):
    """A file is not given, not taken, or is not what it should be."""


@dataclass(eq=False)
class EngineRefused(WillNotPass):
    """The engine understood and said no. *text* stays on this host; *reason* may leave it."""

    reason: ReasonCode
    text: str

    def __str__(self) -> str:
        return f"{self.reason}: {self.text}"


class NotAFile(EngineRefused):
    """What is there is a folder, a link or a device, or it is reached through a link."""


class NameTaken(EngineRefused):
    """A container of that name exists: somebody was first."""


class NotThere(EngineRefused):
    """There is no such container, no such image, or no such file."""


class NotRunning(EngineRefused):
    """The container has ended already, or has not begun."""


class UnusableHost(AgentError):
    """The machine cannot be a host as it is; the text says what to do."""
