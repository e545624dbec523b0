"""Attempts: one try of a job on one host, its states, and why it ended."""

from enum import StrEnum


class AttemptState(StrEnum):
    """Where an attempt is. Its rank never goes back, and nothing follows a terminal rank."""

    PENDING = "pending"  #: A back-off has to pass first.
    QUEUED = "queued"  #: Waits for a host.
    CLAIMED = "claimed"  #: A host owns it; no report yet.
    PREPARING = "preparing"  #: The host gets the image ready; not billed as run time.
    STARTING = "starting"  #: The container is being created and started.
    RUNNING = "running"  #: The engine says it runs.
    STOPPING = "stopping"  #: A stop was asked for; the container is being ended.
    SUCCEEDED = "succeeded"  #: Exit code 0 and no stop reason.
    FAILED = "failed"  #: Any other exit, out of memory, image or start error.
    TIMED_OUT = "timed_out"  #: Ran into its limit.
    CANCELLED = "cancelled"  #: Asked for.
    EXPIRED = "expired"  #: Nobody claimed it in time.
    LOST = "lost"  #: Its host is gone or no longer has it.
    REJECTED = "rejected"  #: The host handed it back before it started.

    @property
    def rank(self) -> int:
        """Return the place in the order of states; 700 and above is terminal."""
        return _RANKS[self]

    @property
    def terminal(self) -> bool:
        """Tell whether the attempt has ended."""
        return self.rank >= TERMINAL_RANK

    @property
    def held_by_host(self) -> bool:
        """Tell whether a host owns the attempt."""
        return AttemptState.CLAIMED.rank <= self.rank < TERMINAL_RANK


TERMINAL_RANK = 700
_RANKS = {
    AttemptState.PENDING: 0,
    AttemptState.QUEUED: 100,
    AttemptState.CLAIMED: 200,
    AttemptState.PREPARING: 300,
    AttemptState.STARTING: 400,
    AttemptState.RUNNING: 500,
    AttemptState.STOPPING: 600,
    AttemptState.SUCCEEDED: 700,
    AttemptState.FAILED: 710,
    AttemptState.TIMED_OUT: 720,
    AttemptState.CANCELLED: 730,
    AttemptState.EXPIRED: 740,
    AttemptState.LOST: 750,
    AttemptState.REJECTED: 760,
}


class StopReason(StrEnum):
    """Why an attempt is being stopped."""

    CANCEL = "cancel"  #: The customer asked.
    TIMEOUT = "timeout"  #: The run limit has passed.
    FUNDS = "funds"  #: The balance does not allow more.
    SUSPEND = "suspend"  #: The account was banned or suspended.
    DRAIN = "drain"  #: The host is being emptied.
    SUPERSEDED = "superseded"  #: Another claim holds the work.
    DISK = "disk_exceeded"  #: The attempt's volume outgrew its limit.

    @property
    def for_good(self) -> bool:
        """Tell whether no other attempt follows after a stop for this."""
        return self in (StopReason.CANCEL, StopReason.SUSPEND, StopReason.FUNDS)


class ReasonClass(StrEnum):
    """Whose doing an end was: it decides who pays and whether to try again."""

    USER = "user"  #: The customer's program, image or wish.
    PLATFORM = "platform"  #: Ours: tried again, free.
    POLICY = "policy"  #: A rule of the host or of the account.
    EXTERNAL = "external"  #: A third party, such as a registry.


class ReasonCode(StrEnum):
    """Why an attempt or a job ended as it did; stable, for programs."""

    EXIT_CODE = "exit_code"  #: The program ended with a code other than 0.
    OUT_OF_MEMORY = "out_of_memory"  #: The kernel ended it for its memory limit.
    DISK_EXCEEDED = "disk_exceeded"  #: Its volume outgrew `disk_mb`.
    TIMEOUT = "timeout"  #: It ran into `max_run_s`.
    CANCELLED = "cancelled"  #: The customer asked.
    ACCOUNT_STOPPED = "account_stopped"  #: The account was banned or suspended.
    FUNDS = "funds"  #: The balance did not allow another attempt.
    QUEUE_TTL = "queue_ttl"  #: No host took it in time.
    HOST_LOST = "host_lost"  #: Its host went silent or restarted without it.
    HOST_DRAINED = "host_drained"  #: Its host was emptied.
    HOST_POLICY = "host_policy"  #: The host's own policy forbids it.
    DISK_LOW = "disk_low"  #: The host had too little free disk.
    NOT_STARTED = "not_started"  #: The agent restarted before the container had started.
    NO_REPORT = "no_report"  #: A state's deadline passed without a word from the host.
    IMAGE_NOT_FOUND = "image_not_found"  #: The registry does not have the image.
    IMAGE_AUTH_FAILED = "image_auth_failed"  #: The registry refused the credentials.
    IMAGE_PULL_FAILED = "image_pull_failed"  #: The registry could not be reached or failed.
    IMAGE_WRONG_PLATFORM = "image_wrong_platform"  #: The image is for another kind of machine.
    INPUT_FAILED = "input_failed"  #: One of its input files could not be brought to the host.
    COMMAND_NOT_FOUND = "command_not_found"  #: The image has no such program.
    COMMAND_NOT_EXECUTABLE = "command_not_executable"  #: The program cannot be executed.
    START_FAILED = "start_failed"  #: The engine could not start the container.
    ENGINE_ERROR = "engine_error"  #: The engine failed.


#: How a stop ends an attempt: its state, its reason, whose doing it was.
STOP_ENDS: dict[StopReason, tuple[AttemptState, ReasonCode, ReasonClass]] = {
    StopReason.CANCEL: (AttemptState.CANCELLED, ReasonCode.CANCELLED, ReasonClass.USER),
    StopReason.TIMEOUT: (AttemptState.TIMED_OUT, ReasonCode.TIMEOUT, ReasonClass.USER),
    StopReason.FUNDS: (AttemptState.CANCELLED, ReasonCode.FUNDS, ReasonClass.POLICY),
    StopReason.SUSPEND: (AttemptState.CANCELLED, ReasonCode.ACCOUNT_STOPPED, ReasonClass.POLICY),
    StopReason.DRAIN: (AttemptState.LOST, ReasonCode.HOST_DRAINED, ReasonClass.PLATFORM),
    StopReason.SUPERSEDED: (AttemptState.LOST, ReasonCode.HOST_LOST, ReasonClass.PLATFORM),
    StopReason.DISK: (AttemptState.FAILED, ReasonCode.DISK_EXCEEDED, ReasonClass.USER),
}

#: Whose doing each end is that no stop reason explains.
REASON_CLASSES: dict[ReasonCode, ReasonClass] = {
    ReasonCode.EXIT_CODE: ReasonClass.USER,
    ReasonCode.OUT_OF_MEMORY: ReasonClass.USER,
    ReasonCode.DISK_EXCEEDED: ReasonClass.USER,
    ReasonCode.TIMEOUT: ReasonClass.USER,
    ReasonCode.CANCELLED: ReasonClass.USER,
    ReasonCode.ACCOUNT_STOPPED: ReasonClass.POLICY,
    ReasonCode.FUNDS: ReasonClass.POLICY,
    ReasonCode.QUEUE_TTL: ReasonClass.PLATFORM,
    ReasonCode.HOST_LOST: ReasonClass.PLATFORM,
    ReasonCode.HOST_DRAINED: ReasonClass.PLATFORM,
    ReasonCode.HOST_POLICY: ReasonClass.PLATFORM,
    ReasonCode.DISK_LOW: ReasonClass.PLATFORM,
    ReasonCode.NOT_STARTED: ReasonClass.PLATFORM,
    ReasonCode.NO_REPORT: ReasonClass.PLATFORM,
    ReasonCode.IMAGE_NOT_FOUND: ReasonClass.USER,
    ReasonCode.IMAGE_AUTH_FAILED: ReasonClass.USER,
    ReasonCode.IMAGE_PULL_FAILED: ReasonClass.PLATFORM,
    ReasonCode.IMAGE_WRONG_PLATFORM: ReasonClass.USER,
    ReasonCode.INPUT_FAILED: ReasonClass.PLATFORM,
    ReasonCode.COMMAND_NOT_FOUND: ReasonClass.USER,
    ReasonCode.COMMAND_NOT_EXECUTABLE: ReasonClass.USER,
    ReasonCode.START_FAILED: ReasonClass.PLATFORM,
    ReasonCode.ENGINE_ERROR: ReasonClass.PLATFORM,
}
