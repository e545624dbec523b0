"""Images: a reference made ready on this host, once at a time, and pinned by its digest."""

import logging
import threading
from collections.abc import Callable
from dataclasses import replace

from wharfage.domain.attempt import ReasonCode
from wharfage.domain.errors import Invalid
from wharfage.domain.image import Reference
from wharfage_agent.attempts import Image
from wharfage_agent.errors import EngineAway, EngineRefused
from wharfage_agent.policy import Policy
from wharfage_agent.ports import Engine, Tasks

log = logging.getLogger(__name__)

PULLS_MAX = 3  #: A registry that cannot be reached is tried this often.

Outcome = Image | ReasonCode
Ready = Callable[[Outcome], None]


class Images:
    """Makes images ready on the `pull` lane. Who asks for what is being made ready, waits too."""

    def __init__(self, engine: Engine, policy: Policy, tasks: Tasks) -> None:
        self._engine = engine
        self._policy = policy
        self._tasks = tasks
        self._lock = threading.Lock()
        self._waiting: dict[tuple[str, str | None], list[Ready]] = {}

    def prepare(self, image: str, digest: str | None, ready: Ready) -> None:
        """Call *ready* with the image, or with why it cannot be had.

        *digest* pins it: an earlier attempt of the same job has resolved the tag.
        """
        wish = (image, digest)
        with self._lock:
            first = wish not in self._waiting
            self._waiting.setdefault(wish, []).append(ready)
        if first:
            self._tasks.spawn("pull", lambda: self._work(wish))

    def _work(self, wish: tuple[str, str | None]) -> None:
        outcome: Outcome = ReasonCode.IMAGE_PULL_FAILED
        try:
            outcome = self._make_ready(*wish)
        finally:
            with self._lock:
                waiting = self._waiting.pop(wish)
            for ready in waiting:
                ready(outcome)

    def _make_ready(self, image: str, digest: str | None) -> Outcome:
        try:
            reference = Reference.parse(image)
        except Invalid:
            return ReasonCode.IMAGE_NOT_FOUND
        if digest is not None:
            reference = replace(reference, digest=digest)
        for attempt in range(PULLS_MAX):
            try:
                if self._policy.local(reference):
                    return self._local(image, digest)
                return self._pulled(reference)
            except EngineRefused as refusal:
                log.warning("An image cannot be had", extra={"image": image, "why": str(refusal)})
                last_try = attempt == PULLS_MAX - 1
                if refusal.reason is not ReasonCode.IMAGE_PULL_FAILED or last_try:
                    return refusal.reason
            except EngineAway as away:
                log.warning("The engine is away", extra={"image": image, "why": str(away)})
        return ReasonCode.IMAGE_PULL_FAILED

    def _local(self, image: str, digest: str | None) -> Outcome:
        found = self._engine.image(image)
        if found is None or (digest is not None and found.digest != digest):
            return ReasonCode.IMAGE_NOT_FOUND
        return found

    def _pulled(self, reference: Reference) -> Outcome:
        digest = reference.digest or self._engine.digest_of(reference)
        pinned = replace(reference, tag=None, digest=digest)
        found = self._engine.image(str(pinned))
        if found is None:
            self._engine.pull(pinned)
            found = self._engine.image(str(pinned))
        if found is None:
            return ReasonCode.IMAGE_PULL_FAILED
        # By digest, whatever its tags say by now.
        return Image(reference=str(pinned), digest=digest, user=found.user)
