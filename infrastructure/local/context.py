"""What Lambda tells a handler about its call, as far as ours may want to know."""

import time
import uuid
from dataclasses import dataclass, field
from typing import Self

from infrastructure.template import Function


@dataclass(frozen=True, kw_only=True, slots=True)
class Context:
    """A Lambda context."""

    function_name: str
    aws_request_id: str
    timeout_seconds: float
    function_version: str = "$LATEST"
    memory_limit_in_mb: int = 512
    invoked_function_arn: str = "arn:aws:lambda:local:000000000000:function:local"
    _started: float = field(default_factory=time.monotonic)

    @classmethod
    def of(cls, function: Function) -> Self:
        """Make the context of one call that begins now."""
        return cls(
            function_name=function.name,
            aws_request_id=str(uuid.uuid4()),
            timeout_seconds=function.timeout_seconds,
        )

    def get_remaining_time_in_millis(self) -> int:
        """Return how long the call may still take."""
        left = self.timeout_seconds - (time.monotonic() - self._started)
        return max(0, int(left * 1000))
