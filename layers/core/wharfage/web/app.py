"""Chalice, dressed: declared callers, typed views, refusals as problems, logs and metrics.

A function file is one App and its views. The view's type hints are the API: parameters named in
the path, one `body` that is a Struct, and query parameters for all the others.

    app = App("jobs")

    @app.route("/v1/jobs", methods=["POST"], auth=signed_in(), idempotent=True)
    def submit(body: JobSpec) -> Accepted[JobView]:
        made = jobs.submit(app.ports, app.principal, body, key=app.idempotency_key)
        location = f"/v1/jobs/{made.value.id}"
        return Accepted(made.value, location=location, replayed=made.replayed)

    @app.route("/v1/jobs", methods=["GET"], auth=signed_in())
    def index(limit: Limit = 20, cursor: str | None = None) -> Listing[JobView]:
        page = jobs.find_all(app.ports, app.principal, after=cursor, limit=limit)
        return app.listing(page.items, page.next)

    @app.route("/v1/jobs/{job_id}", methods=["GET"], auth=signed_in())
    def show(job_id: str, wait: Wait = 0) -> JobView:
        return app.wait_for(
            lambda: jobs.find(app.ports, app.principal, job_id), lambda job: job.is_terminal, wait
        )

A parameter named `cursor` arrives checked and opened; `app.listing` seals the next one. A
parameter named `query` is every query parameter as text. Without `body` the raw bytes are in
`app.request.body`. The Lambda handler is the App itself: `Handler: app.app`.
"""

import logging
import re
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import chalice.app as chalice

from wharfage import trace, wiring
from wharfage.domain import limits
from wharfage.domain.account import Principal
from wharfage.domain.errors import Forbidden, Refused, TooLarge, Unauthenticated
from wharfage.domain.host import HostPrincipal
from wharfage.domain.rate import Rate
from wharfage.ports import Ports
from wharfage.settings import Settings
from wharfage.web import cursors, door, observing, problems, replies, request, routing
from wharfage.web.auth import Auth, Scheme
from wharfage.web.cursors import Listing
from wharfage.web.request import Request
from wharfage.web.routing import Route
from wharfage.web.waiting import WaitingRoom

T = TypeVar("T")
V = TypeVar("V")
F = TypeVar("F", bound=Callable[..., Any])

_HOST_TOKEN = re.compile(r"hst_[0-9a-z]{1,60}\.[A-Za-z0-9_-]{1,128}")

log = logging.getLogger(__name__)


class App:
    """One function's routes. Its state is what import made; a request's is in its context."""

    def __init__(self, name: str, *, pause: Callable[[float], None] = time.sleep) -> None:
        self.name = name
        self.table: dict[tuple[str, str], Route] = {}
        self._dispatcher = _Dispatcher(app_name=name, configure_logs=False)
        self.pause = pause
        self._room = WaitingRoom(pause=pause)
        self._wired: wiring.Wired | None = None

    # For the function's file.

    def route(
        self,
        path: str,
        *,
        methods: Sequence[str],
        auth: Auth,
        idempotent: bool = False,
        body_bytes_max: int = limits.BODY_BYTES_MAX,
        rates: Sequence[Rate] = (),
    ) -> Callable[[F], F]:
        """Declare a view. *idempotent* demands an Idempotency-Key header (400 without one).

        The answers name the *rates* that the view counts in, as RateLimit-Policy.

        Raises: TypeError at import, when nobody is declared or the hints do not fit the path.
        """
        if not isinstance(auth, Auth):
            raise TypeError(f"{path}: declare who may call it, as auth=signed_in()")

        def declare(view: F) -> F:
            for method in methods:
                planned = routing.route(
                    path,
                    method,
                    view,
                    auth=auth,
                    body_bytes_max=body_bytes_max,
                    idempotent=idempotent,
                )
                policy = ", ".join(
                    f'"{each.action}";q={each.limit};w={each.seconds}' for each in rates
                )
                self.table[path, method] = planned
                register = self._dispatcher.route(
                    path, name=f"{method} {path}", methods=[method], content_types=[]
                )
                register(self._edge(planned, policy))
            return view

        return declare

    def scheduled(self, run: Callable[[], None]) -> Callable[[Any, Any], None]:
        """Declare the handler of a schedule; what it raises is logged, and fails the run."""

        def handle(event: Any, context: Any) -> None:
            with trace.following(_traceparent({})):
                observing.logger.thread_safe_append_keys(function=self.name)
                try:
                    run()
                except Exception:
                    log.exception("schedule failed", extra={"action": run.__name__})
                    raise
                finally:
                    observing.logger.thread_safe_clear_keys()

        handle.__name__ = run.__name__
        handle.__doc__ = run.__doc__
        return handle

    # For views.

    @property
    def ports(self) -> Ports:
        """What operations need from outside."""
        return self._wiring.ports

    @property
    def settings(self) -> Settings:
        """What this process was started with."""
        return self._wiring.settings

    @property
    def request(self) -> Request:
        """The request at hand."""
        return request.current()

    @property
    def principal(self) -> Principal:
        """Who is asking; only in views declared `signed_in` or `admin`."""
        principal = self.request.principal
        assert principal is not None, "this route is not declared signed_in()"
        return principal

    @property
    def host(self) -> HostPrincipal:
        """The host that is asking; only in views declared `agent`."""
        host = self.request.host
        assert host is not None, "this route is not declared agent()"
        return host

    @property
    def idempotency_key(self) -> str:
        """The client's key; only in views declared `idempotent`."""
        key = self.request.idempotency_key
        assert key is not None, "this route is not declared idempotent"
        return key

    def header(self, name: str, value: str) -> None:
        """Add a header to the answer."""
        self.request.answer_headers[name] = value

    def tally(self, name: str) -> None:
        """Count one thing that is worth an alarm of its own."""
        observing.tally(self.name, name)

    def wait_for(self, read: Callable[[], T], changed: Callable[[T], bool], seconds: int) -> T:
        """Read until *changed* says so, for at most *seconds*; with Retry-After if it may not."""
        value, waited = self._room.wait_for(read, changed, seconds)
        if waited.refused:
            self.header("Retry-After", "1")
        return value

    def listing(self, items: Sequence[V], place: str | None) -> Listing[V]:
        """Answer a list route: its items, and the cursor of what comes after *place*."""
        return Listing(items=tuple(items), next_cursor=self.sealed(place))

    def sealed(self, place: str | None) -> str | None:
        """Make a cursor of a place in a list; it comes back opened as the parameter `cursor`."""
        if place is None:
            return None
        return cursors.seal(place, key=self.settings.cursor_key, scope=self._scope)

    # For Lambda, the gateway and tests.

    @property
    def routes(self) -> Mapping[str, Mapping[str, Any]]:
        """Chalice's own route table, by path and method."""
        return self._dispatcher.routes

    def bind(self, wired: wiring.Wired) -> None:
        """Use these settings and ports instead of the process's own."""
        self._wired = wired

    def __call__(self, event: Mapping[str, Any], context: Any) -> dict[str, Any]:
        """Answer one event of API Gateway, in payload 2.0 or in the v1 shape."""
        started = time.perf_counter()
        event = dict(event)
        traceparent = _traceparent(event.get("headers") or {})
        with trace.following(traceparent):
            observing.logger.thread_safe_append_keys(
                function=self.name,
                request_id=event.get("requestContext", {}).get("requestId", ""),
                correlation_id=trace.trace_id(traceparent),
            )
            try:
                route, answer = self._answer(event, context, traceparent)
                elapsed = (time.perf_counter() - started) * 1000
                status = answer["statusCode"]
                facts = {"route": route, "status": status, "ms": round(elapsed, 1)}
                log.info("answered", extra=facts)
                observing.count(self.name, route, status, elapsed)
                return answer
            finally:
                request.begin(None)
                observing.logger.thread_safe_clear_keys()

    # Inside.

    @property
    def _wiring(self) -> wiring.Wired:
        return self._wired or wiring.shared()

    @property
    def _scope(self) -> str:
        asking = self.request
        owner = asking.principal.account if asking.principal else ""
        return f"{owner} {asking.route} {sorted(asking.path.items())}"

    def _answer(
        self, event: Mapping[str, Any], context: Any, traceparent: str
    ) -> tuple[str, dict[str, Any]]:
        """Let the event through the door, and have Chalice dispatch it if it names a route."""
        name = "unknown"
        try:
            event = door.through(event)
            asking = request.read(event, traceparent=traceparent)
            request.begin(asking)
            # Chalice's route table grows by every path it is asked for, so it is not asked.
            if (asking.route, asking.method) not in self.table:
                allowed = sorted(method for path, method in self.table if path == asking.route)
                if allowed:
                    raise problems.MethodNotAllowed(allowed=tuple(allowed))
                raise problems.UnknownRoute
            name = f"{asking.method} {asking.route}"
            return name, self._dispatcher(event, context)
        except Refused as refusal:
            return name, self._refusal(refusal, event).to_dict()
        except Exception:
            log.exception("request failed", extra={"action": name})
            return name, self._refusal(problems.Broken(), event).to_dict()

    def _edge(self, route: Route, policy: str) -> Callable[..., chalice.Response]:
        """Wrap a view: check the caller, read the arguments, write the answer or the problem."""

        def view(**_path: str) -> chalice.Response:
            asking = self.request
            if policy:
                self.header("RateLimit-Policy", policy)
            try:
                if len(asking.body) > route.body_bytes_max:
                    raise TooLarge(limit_bytes=route.body_bytes_max)
                self._admit(route.auth, asking)
                arguments = route.arguments(asking)
                if arguments.get("cursor") is not None:
                    arguments["cursor"] = cursors.unseal(
                        arguments["cursor"], key=self.settings.cursor_key, scope=self._scope
                    )
                return replies.reply(route.view(**arguments), asking)
            except Refused as refusal:
                return self._refusal(refusal, {})
            except Exception:
                log.exception("view failed", extra={"action": f"{route.method} {route.path}"})
                return self._refusal(problems.Broken(), {})

        return view

    def _admit(self, auth: Auth, asking: Request) -> None:
        """Find out who is asking and whether they may. Raises: Unauthenticated, Forbidden."""
        if auth.scheme is Scheme.NONE:
            return
        if asking.bearer is None:
            raise Unauthenticated
        if auth.scheme is Scheme.HOST:
            if not _HOST_TOKEN.fullmatch(asking.bearer):
                raise Unauthenticated
            from wharfage.operations import hosts

            asking.host = hosts.authenticate(self.ports, asking.bearer)
            return
        from wharfage.operations import sessions

        asking.principal = sessions.authenticate(self.ports, asking.bearer)
        observing.logger.thread_safe_append_keys(account=asking.principal.account)
        if auth.role is not None and asking.principal.role is not auth.role:
            raise Forbidden

    def _refusal(self, refusal: Refused, event: Mapping[str, Any]) -> chalice.Response:
        asking = request.peek()
        headers = asking.headers if asking else _lowered(event.get("headers") or {})
        body = problems.document(
            refusal,
            request_id=asking.request_id if asking else _request_id(event),
            language=problems.language_of(headers.get("accept-language", "")),
            settings=self._wiring.settings,
        )
        more = dict(asking.answer_headers) if asking else {}
        return replies.response(
            problems.row(type(refusal)).status, body, {**more, **problems.headers(refusal)}
        )


class _Dispatcher(chalice.Chalice):
    """Chalice without state of its own: threads of the local gateway share one."""

    @property
    def current_request(self) -> Any:
        return None

    @current_request.setter
    def current_request(self, value: Any) -> None:
        """Take no notice: `App.request` is the request."""

    @property
    def lambda_context(self) -> Any:
        return None

    @lambda_context.setter
    def lambda_context(self, value: Any) -> None:
        """Take no notice: nothing here depends on the host of the function."""


def _traceparent(headers: Mapping[str, Any]) -> str:
    """Return the caller's trace, or begin one."""
    given = str(_lowered(headers).get("traceparent", ""))
    if trace.valid(given):
        return given
    return f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-01"


def _lowered(headers: Mapping[str, Any]) -> dict[str, str]:
    return {name.lower(): str(value) for name, value in headers.items()}


def _request_id(event: Mapping[str, Any]) -> str:
    return str(event.get("requestContext", {}).get("requestId", ""))
