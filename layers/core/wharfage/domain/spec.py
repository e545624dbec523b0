"""What a customer may ask of a job. There are no fields for privilege, binds or devices."""

from enum import StrEnum
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from wharfage.domain import limits
from wharfage.domain.attempt import ReasonCode
from wharfage.domain.errors import Fault, Invalid, fault
from wharfage.domain.image import Reference
from wharfage.domain.price import Resources
from wharfage.domain.record import Body

Word = Annotated[str, Meta(max_length=limits.COMMAND_BYTES_MAX)]
Words = Annotated[tuple[Word, ...], Meta(max_length=limits.COMMAND_WORDS_MAX)]
EnvName = Annotated[str, Meta(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,127}$(?!\n)")]
LabelName = Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_.-]{0,62}$(?!\n)")]
LabelValue = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$(?!\n)")]
Labels = Annotated[dict[LabelName, LabelValue], Meta(max_length=limits.LABELS_MAX)]
FileName = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_][A-Za-z0-9._-]{0,126}$(?!\n)")]
UploadId = Annotated[str, Meta(pattern=r"^upl_[0-9a-z]{1,60}$(?!\n)")]
OutputPath = Annotated[str, Meta(max_length=limits.OUTPUT_PATH_CHARACTERS_MAX)]
PoolName = Annotated[str, Meta(pattern=r"^[a-z][a-z0-9-]{0,31}$(?!\n)")]
Seconds = Annotated[int, Meta(ge=1, le=limits.RUN_SECONDS_MAX)]
StopGrace = Annotated[int, Meta(ge=1, le=limits.STOP_GRACE_SECONDS_MAX)]
Image = Annotated[str, Meta(min_length=1, max_length=limits.IMAGE_CHARACTERS_MAX)]
Env = Annotated[dict[EnvName, str], Meta(max_length=limits.ENV_VARIABLES_MAX)]
TemplateName = Annotated[str, Meta(pattern=r"^[a-z][a-z0-9-]{0,62}$(?!\n)")]
Version = Annotated[int, Meta(ge=1, le=999_999)]

VOLUME_PATH = "/wharfage"  #: What a container can write to, and outputs are taken from.
INPUT_PATH = f"{VOLUME_PATH}/input.json"
FILES_PATH = f"{VOLUME_PATH}/inputs"  #: Where the uploads of a job are.
MEBIBYTE = 1024 * 1024


class Priority(StrEnum):
    """A head start in the queue, not a right of way: low always moves."""

    LOW = "low"
    NORMAL = "normal"
    HIGH = "high"


class Network(StrEnum):
    """What a container can reach."""

    NONE = "none"  #: Only itself.


class OnHostLost(StrEnum):
    """What becomes of work whose host went silent."""

    RERUN = "rerun"  #: Tried again elsewhere.
    WAIT = "wait"  #: Left to its host until that comes back.


class RetryRule(Body, frozen=True, kw_only=True):
    """An end that is worth another try: by exit code or by reason."""

    exit_codes: Annotated[tuple[Annotated[int, Meta(ge=1, le=255)], ...], Meta(max_length=16)] = ()
    reasons: Annotated[tuple[ReasonCode, ...], Meta(max_length=8)] = ()

    def matches(self, exit_code: int | None, reason: ReasonCode | None) -> bool:
        """Tell whether an end is one this rule names."""
        return exit_code in self.exit_codes or reason in self.reasons


class Retry(Body, frozen=True, kw_only=True):
    """How often and after how long to try again. Without rules every failure is tried again."""

    max_attempts: Annotated[int, Meta(ge=1, le=limits.ATTEMPTS_MAX)] = 1
    rules: Annotated[tuple[RetryRule, ...], Meta(max_length=limits.RETRY_RULES_MAX)] = ()
    backoff_base_s: Annotated[int, Meta(ge=0, le=limits.BACKOFF_SECONDS_MAX)] = 1
    backoff_factor: Annotated[int, Meta(ge=1, le=10)] = 2
    backoff_cap_s: Annotated[int, Meta(ge=0, le=limits.BACKOFF_SECONDS_MAX)] = 300

    def allows(self, ended: int, exit_code: int | None, reason: ReasonCode | None) -> bool:
        """Tell whether, after *ended* attempts of the customer's, this end is tried again."""
        if ended >= self.max_attempts:
            return False
        return not self.rules or any(rule.matches(exit_code, reason) for rule in self.rules)

    def backoff_seconds(self, ended: int) -> int:
        """Return how long to wait after *ended* attempts of the customer's."""
        factor: int = self.backoff_factor ** (ended - 1)
        return min(self.backoff_cap_s, self.backoff_base_s * factor)


class Work(Body, frozen=True, kw_only=True):
    """All that a job can be given beside its image."""

    command: Words | None = None
    entrypoint: Words | None = None
    env: Env = {}
    resources: Resources = Resources()
    max_run_s: Seconds = 3600
    queue_ttl_s: Annotated[int, Meta(ge=1, le=limits.QUEUE_SECONDS_MAX)] = 3600
    stop_grace_s: StopGrace = 10
    network: Network = Network.NONE
    labels: Labels = {}
    pool: PoolName = "default"
    priority: Priority = Priority.NORMAL
    retry: Retry = Retry()
    on_host_lost: OnHostLost = OnHostLost.RERUN
    max_cost_fen: Annotated[int, Meta(ge=1, le=limits.TOPUP_FEN_MAX)] | None = None
    input: dict[str, Any] | None = None  #: Any JSON object; the file `/wharfage/input.json`.
    #: Names to uploads: the files `/wharfage/inputs/<name>`.
    files: Annotated[dict[FileName, UploadId], Meta(max_length=limits.FILES_MAX)] = {}
    #: Files under `/wharfage` that are kept after the container has ended.
    outputs: Annotated[tuple[OutputPath, ...], Meta(max_length=limits.OUTPUTS_MAX)] = ()


class JobSpec(Work, frozen=True, kw_only=True):
    """A job, whole: an image, run to its end."""

    image: Image

    def check(self, registries: frozenset[str]) -> None:
        """Refuse what types cannot: texts, sizes together, registries we do not pull from.

        Raises: Invalid, with every fault found.
        """
        faults = [
            *_text_faults(self),
            *_size_faults(self),
            *_input_faults(self),
            *_output_faults(self),
            *_image_faults(self, registries),
        ]
        if not faults and _whole_bytes(self) > limits.SPEC_BYTES_MAX:
            faults.append(_too_large("", limits.SPEC_BYTES_MAX))
        if faults:
            raise Invalid(faults=tuple(faults))


class Submission(Work, frozen=True, kw_only=True):
    """A job as it is submitted: by its *image*, or as a *template* with the *input* it takes.

    A template decides what runs and what it costs, so then only `input`, `files`, `pool`,
    `labels`, `priority` and `queue_ttl_s` may be given; it is the newest without a
    `template_version`.
    """

    image: Image | None = None
    template: TemplateName | None = None
    template_version: Version | None = None

    def job_spec(self) -> JobSpec:
        """Return the job that is asked for without a template. Raises: Invalid."""
        if self.image is None:
            raise fault("/image", "missing", "A job needs an image or a template.")
        if self.template_version is not None:
            raise fault("/template_version", "template", "There is no template here.")
        return JobSpec(
            image=self.image, **{name: getattr(self, name) for name in Work.__struct_fields__}
        )


def _image_faults(spec: JobSpec, registries: frozenset[str]) -> list[Fault]:
    try:
        reference = Reference.parse(spec.image)
    except Invalid as refusal:
        return list(refusal.faults)
    if reference.registry in registries:
        return []
    message = f"Images are not pulled from {reference.registry}."
    return [Fault(pointer="/image", code="registry_not_allowed", message=message)]


def _text_faults(spec: JobSpec) -> list[Fault]:
    texts = {f"/env/{name}": value for name, value in spec.env.items()}
    for field in ("command", "entrypoint"):
        for place, word in enumerate(getattr(spec, field) or ()):
            texts[f"/{field}/{place}"] = word
    return [
        _not_text(pointer) for pointer, text in texts.items() if "\0" in text or _surrogates(text)
    ]


def _size_faults(spec: JobSpec) -> list[Fault]:
    faults = []
    sizes = _env_bytes(spec)
    for name, size in sizes.items():
        if size - _bytes(name) > limits.ENV_VALUE_BYTES_MAX:
            faults.append(_too_large(f"/env/{name}", limits.ENV_VALUE_BYTES_MAX))
    if sum(sizes.values()) > limits.ENV_BYTES_MAX:
        faults.append(_too_large("/env", limits.ENV_BYTES_MAX))
    if _command_bytes(spec) > limits.COMMAND_BYTES_MAX:
        faults.append(_too_large("/command", limits.COMMAND_BYTES_MAX))
    return faults


def input_json(spec: JobSpec) -> bytes | None:
    """Write a job's input as its container reads it; None when it has none."""
    return None if spec.input is None else msgspec.json.encode(spec.input)


def _whole_bytes(spec: JobSpec) -> int:
    """Count what is large in a specification, as it is stored."""
    return sum(_env_bytes(spec).values()) + _command_bytes(spec) + len(input_json(spec) or b"")


def _env_bytes(spec: JobSpec) -> dict[str, int]:
    return {name: _bytes(name) + _bytes(value) for name, value in spec.env.items()}


def _command_bytes(spec: JobSpec) -> int:
    return sum(map(_bytes, (*(spec.command or ()), *(spec.entrypoint or ()))))


def _input_faults(spec: JobSpec) -> list[Fault]:
    try:
        size = len(input_json(spec) or b"")
    except UnicodeEncodeError:
        return [_not_text("/input")]
    return [_too_large("/input", limits.INPUT_BYTES_MAX)] if size > limits.INPUT_BYTES_MAX else []


def _output_faults(spec: JobSpec) -> list[Fault]:
    faults = []
    for place, path in enumerate(spec.outputs):
        pointer = f"/outputs/{place}"
        if not _outputs_path(path):
            message = f"An output is a plain path under {VOLUME_PATH}, and names a file."
            faults.append(Fault(pointer=pointer, code="output_path", message=message))
        elif path in spec.outputs[:place]:
            message = "This output is named twice."
            faults.append(Fault(pointer=pointer, code="repeated", message=message))
    return faults


def _outputs_path(path: str) -> bool:
    """Tell whether a path names something under the volume, without a way out of it."""
    begins, *names = path.removeprefix("/").split("/")
    plain = path.isprintable() and path.startswith(f"{VOLUME_PATH}/")
    return plain and f"/{begins}" == VOLUME_PATH and not {"", ".", ".."}.intersection(names)


def _not_text(pointer: str) -> Fault:
    message = "NUL and lone surrogates cannot be passed on."
    return Fault(pointer=pointer, code="text", message=message)


def _too_large(pointer: str, limit: int) -> Fault:
    return Fault(pointer=pointer, code="too_large", message=f"At most {limit} bytes.")


def _bytes(text: str) -> int:
    return len(text.encode(errors="surrogatepass"))


def _surrogates(text: str) -> bool:
    return any("\ud800" <= character <= "\udfff" for character in text)
