"""The public API, played: its state, its routes, and what was asked of it."""

import base64
import secrets
import threading
from collections import deque
from collections.abc import Callable
from typing import Any

from tests.client.papers import Papers, page
from tests.client.said import Answering, Refusal, Script, Seen, Session
from tests.client.samples import (
    CHANNELS,
    MEMBERSHIP,
    METER,
    NOW,
    PLAN,
    QUOTAS,
    REPORT,
    RUN,
    SUCCEEDS,
    TEMPLATE,
    Json,
    ended,
    job_view,
    order_view,
    upload_view,
    user_view,
)

PASSWORD = "correct horse battery"


class Api(Papers):
    """The state that the played API has, and what was asked of it."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[Seen] = []
        self.faults: deque[Callable[[Answering], None]] = deque()
        self.sessions: list[Session] = []
        self.jobs: dict[str, Json] = {}
        self.scripts: dict[str, Script] = {}
        self.next_script = Script(steps=SUCCEEDS)
        self.keys: dict[str, Json] = {}
        self.orders: dict[str, Json] = {}
        self.pay_after = 1  #: How many looks at an order it takes until it is paid.
        self.order_end = "paid"
        self.hosts: list[Json] = []
        self.users: list[Json] = []
        self.breaks: list[Json] = []
        self.available_fen = 5000
        self.membership: Json | None = None
        self.period: Json | None = None
        self.refuses_waiting = False
        self.store_url = ""  #: Where links lead to.
        self.outputs: Json = {}  #: What the newest job left.
        self.lock = threading.RLock()
        self.url = ""

    def of(self, method: str, path: str) -> list[Seen]:
        """Return the requests of one route."""
        return [each for each in self.seen if (each.method, each.path) == (method, path)]

    def sign_in(self) -> Session:
        """Begin a session."""
        session = Session(access=secrets.token_hex(8), refresh=secrets.token_hex(8))
        self.sessions.append(session)
        return session

    def expire(self) -> None:
        """Make every access token run out."""
        with self.lock:
            for session in self.sessions:
                session.access = secrets.token_hex(8)

    # Routes. Each takes the request and returns status, headers, body.

    def answer(self, seen: Seen) -> tuple[int, dict[str, str], Any]:
        with self.lock:
            parts = seen.path.strip("/").split("/")
            route = getattr(self, f"_{seen.method}_{parts[1]}".lower(), None)
            if parts[0] != "v1" or route is None:
                raise Refusal(404, "route_not_found", "There is no such route")
            if parts[1] not in ("auth", "channels", "health", "plans", "prices"):
                self._authenticate(seen)
            result: tuple[int, dict[str, str], Any] = route(seen, parts[2:])
            return result

    def _authenticate(self, seen: Seen) -> None:
        bearer = seen.headers.get("authorization", "").removeprefix("Bearer ")
        if not any(each.access == bearer and not each.ended for each in self.sessions):
            raise Refusal(401, "unauthenticated", "Sign in first")

    def _get_health(self, seen: Seen, rest: list[str]) -> Any:
        return 200, {}, {"status": "ok"}

    def _get_prices(self, seen: Seen, rest: list[str]) -> Any:
        return 200, {}, {"version": "1", "vcpu_hour_fen": 24, "gb_hour_fen": 6}

    def _post_auth(self, seen: Seen, rest: list[str]) -> Any:
        match rest:
            case ["register"] | ["operator"]:
                return 201, {}, user_view("usr_" + "0" * 26, seen.body["email"])
            case ["login"]:
                if seen.body["password"] != PASSWORD:
                    raise Refusal(401, "wrong_credentials", "E-mail address or password is wrong")
                return 200, {}, _tokens(self.sign_in())
            case ["refresh"]:
                return 200, {}, self._refresh(seen.body["refresh_token"])
            case _:
                return 204, {}, None

    def _refresh(self, token: str) -> Json:
        session = self.sessions[-1]
        if session.ended or token != session.refresh:
            session.ended = True
            raise Refusal(401, "session_ended", "This session has ended")
        session.access, session.refresh = secrets.token_hex(8), secrets.token_hex(8)
        return _tokens(session)

    def _get_me(self, seen: Seen, rest: list[str]) -> Any:
        return 200, {}, user_view("usr_" + "0" * 26, "ann@example.com")

    def _get_quota(self, seen: Seen, rest: list[str]) -> Any:
        money = {"available_fen": self.available_fen, "held_fen": 12, "debt_fen": 0}
        units: Json = {"membership": self.membership, "period": self.period, "periods": []}
        life: Json = {"state": "active", "burn_fen": 120, "lasts_seconds": 5400, "quotas": QUOTAS}
        return 200, {}, {**money, **life, **units}

    def _get_channels(self, seen: Seen, rest: list[str]) -> Any:
        return 200, {}, {"items": CHANNELS, "next_cursor": None}

    def _get_plans(self, seen: Seen, rest: list[str]) -> Any:
        return 200, {}, {"items": [PLAN], "next_cursor": None}

    def _get_templates(self, seen: Seen, rest: list[str]) -> Any:
        return 200, {}, page([TEMPLATE], seen.query)

    def _get_ledger(self, seen: Seen, rest: list[str]) -> Any:
        return 200, {}, page(self.entries, seen.query)

    def _post_jobs(self, seen: Seen, rest: list[str]) -> Any:
        if rest:
            return 202, {}, self._cancelled(rest[0])
        key = seen.headers.get("idempotency-key")
        if key is None:
            raise Refusal(400, "malformed", "The request cannot be read")
        if key in self.keys:
            return 202, {"Idempotency-Replayed": "true"}, self.keys[key]
        image = seen.body.get("image") or TEMPLATE["image"]
        if image == "too-dear":
            needs = {"required_fen": 120, "available_fen": 3}
            raise Refusal(402, "insufficient_funds", "The balance is not enough", **needs)
        if image == "Bad":
            fault = {"pointer": "/image", "code": "image_reference", "message": "Not an image."}
            raise Refusal(422, "invalid", "The request is not acceptable", errors=[fault])
        job = job_view(f"job_{len(self.jobs):026d}", image=image)
        if "template" in seen.body:
            job |= {"template": seen.body["template"], "hold_fen": 0, "hold_units": 5}
        job |= self.next_script.first
        self.scripts[job["id"]] = self.next_script
        self.jobs[job["id"]] = self.keys[key] = job
        return 202, {"Location": f"/v1/jobs/{job['id']}"}, job

    def _post_uploads(self, seen: Seen, rest: list[str]) -> Any:
        return 201, {}, upload_view(self.store_url, **seen.body)

    def _get_uploads(self, seen: Seen, rest: list[str]) -> Any:
        [announced] = [each.body for each in self.of("POST", "/v1/uploads")]
        return 200, {}, upload_view(self.store_url, **announced)

    def _cancelled(self, job_id: str) -> Json:
        job = self._job(job_id)
        if not job["is_terminal"]:
            self.scripts[job_id].hold = False
            reason = {"reason_code": "cancelled", "reason_class": "user"}
            self.scripts[job_id].steps = [ended("cancelled", None, **reason)]
            job = self.jobs[job_id] = job | {"status": "stopping", "version": job["version"] + 1}
        return job

    def _get_jobs(self, seen: Seen, rest: list[str]) -> Any:
        match rest:
            case []:
                return 200, {}, page(list(reversed(self.jobs.values())), seen.query)
            case [job_id, "logs"]:
                return 200, {}, self._log(self._job(job_id), seen.query)
            case [_, "outputs"]:
                return 200, {}, self.outputs
            case [job_id, "attempts"]:
                return 200, {}, {"items": [_attempt(self._job(job_id))], "next_cursor": None}
            case _:
                return self._step(self._job(rest[0]), seen)

    def _job(self, job_id: str) -> Json:
        if job_id not in self.jobs:
            raise Refusal(404, "not_found", "There is no such thing")
        return self.jobs[job_id]

    def _step(self, job: Json, seen: Seen) -> Any:
        script = self.scripts[job["id"]]
        headers = {"Retry-After": "1"} if self.refuses_waiting and "wait" in seen.query else {}
        if "wait" in seen.query and script.steps and not script.hold:
            job = job | script.steps[0] | {"version": job["version"] + 1}
            script.steps = script.steps[1:]
            self.jobs[job["id"]] = job
        return 200, headers, job

    def _log(self, job: Json, query: dict[str, str]) -> Json:
        """Give the log a part at a time; it is complete unless the job is held where it is."""
        script = self.scripts[job["id"]]
        size = script.part_bytes
        pieces = [
            (stream, data[start : start + size], start)
            for stream, data in script.log
            for start in range(0, len(data), size)
        ]
        at = int(query.get("cursor", "0"))
        items = [
            {
                "stream": stream,
                "offset": start,
                "data": base64.b64encode(data).decode(),
                "received_at": NOW,
            }
            for stream, data, start in pieces[at : at + 2]
        ]
        after = at + len(items)
        complete = after >= len(pieces) and not script.hold
        return {
            "attempt": job["attempt"],
            "items": items,
            "next_cursor": str(after),
            "complete": complete,
            "truncated": script.truncated,
            "gap": complete and script.gap,
        }

    def _post_orders(self, seen: Seen, rest: list[str]) -> Any:
        match rest:
            case []:
                plan = seen.body.get("plan")
                amount_fen = PLAN["price_fen"] if plan else seen.body["amount_fen"]
                order = order_view(f"ord_{len(self.orders):026d}", amount_fen, plan)
                self.orders[order["id"]] = order
                return 201, {}, order
            case [order_id, _]:
                how = {"method": seen.body["method"], "expires_at": NOW, "app_string": None}
                if seen.body["method"] == "qr":
                    return 200, {}, how | {"url": None, "qr_text": f"https://qr.example/{order_id}"}
                return 200, {}, how | {"url": f"https://pay.example/{order_id}", "qr_text": None}
            case _:
                raise Refusal(404, "route_not_found", "There is no such route")

    def _get_orders(self, seen: Seen, rest: list[str]) -> Any:
        if not rest:
            return 200, {}, page(list(reversed(self.orders.values())), seen.query)
        order = self.orders[rest[0]]
        self.pay_after -= 1
        if self.pay_after < 0:
            order["state"] = self.order_end
            if self.order_end == "paid" and order["plan"]:
                self.membership = MEMBERSHIP
            elif self.order_end == "paid":
                self.available_fen += order["amount_fen"]
        return 200, {}, order

    def _get_usage(self, seen: Seen, rest: list[str]) -> Any:
        if rest:
            return 200, {}, METER | {"job": self._job(rest[1])["id"]}
        return 200, {}, page(self.usage_days, {"limit": "2"} | seen.query)

    def _get_hosts(self, seen: Seen, rest: list[str]) -> Any:
        return 200, {}, page(self.hosts, seen.query)

    def _post_hosts(self, seen: Seen, rest: list[str]) -> Any:
        match rest:
            case ["codes"]:
                view = {"code": "c0de", "pool": seen.body["pool"], "labels": seen.body["labels"]}
                return 201, {}, view | {"expires_at": NOW}
            case [_, "revoke"]:
                return 204, {}, None
            case [_, "drain"]:
                return 200, {}, self.hosts[0] | {"status": "draining"}
            case _:
                return 200, {}, self.hosts[0]

    def _get_admin(self, seen: Seen, rest: list[str]) -> Any:
        if (paper := self.operators_papers(rest, seen.query)) is not None:
            return 200, {}, paper
        match rest:
            case ["reports", _]:
                return 200, {}, REPORT
            case ["reconciliation", _, _]:
                part = page(self.breaks, {"limit": "1"} | seen.query)
                return 200, {}, {
                    "run": RUN, "breaks": part["items"], "next_cursor": part["next_cursor"],
                }  # fmt: skip
        wanted = seen.query.get("email")
        found = [each for each in self.users if wanted in (None, each["email"])]
        return 200, {}, {"items": found, "next_cursor": None}

    def _post_admin(self, seen: Seen, rest: list[str]) -> Any:
        if (paper := self.decided(rest, seen.body)) is not None:
            return 200, {}, paper
        match rest:
            case ["reconciliation", _, _, "run"]:
                return 202, {}, RUN
            case ["reconciliation", _, _, "breaks", break_id, "resolve"]:
                found = next(each for each in self.breaks if each["id"] == break_id)
                found |= {"state": "resolved", "reason": seen.body["reason"]}
                return 200, {}, found
        user = next(each for each in self.users if each["id"] == rest[1])
        return 200, {}, user | {"banned_at": NOW if rest[2] == "ban" else None}


def with_jobs(api: Api, *ids: str, **changes: object) -> None:
    """Put jobs there that wrote to both streams."""
    for job_id in ids:
        api.jobs[job_id] = job_view(job_id, **changes)
        api.scripts[job_id] = Script(steps=[], log=[("stdout", b"out"), ("stderr", b"err")])


def _attempt(job: Json) -> Json:
    names = ("attempt", "status", "is_terminal", "host", "reason_code", "exit_code", "cost_fen")
    return {name: job[name] for name in names}


def _tokens(session: Session) -> Json:
    return {
        "access_token": session.access,
        "token_type": "Bearer",
        "expires_in": 900,
        "refresh_token": session.refresh,
        "refresh_expires_at": NOW,
        "account": "usr_" + "0" * 26,
        "session": "ses_" + "0" * 26,
    }
