"""R8: planted secrets turn up in no log, metric, error, event or row, but where they have to be."""

import base64
import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.fixtures import alipay, edge
from tests.fixtures.calls import enrolment, good, piece, pieces, report
from tests.fixtures.edge import Answer
from tests.fixtures.harbour import SPEC
from tests.fixtures.port import ROUTES, Call, Port
from wharfage.adapters.rows import OutcomeUnknown

PASSWORD = "canary-password-8c21f0"
NEXT_PASSWORD = "canary-next-password-4d77"
WRONG_PASSWORD = "canary-wrong-password-9b1e"
ENV = "canary-env-value-51ab03"
COMMAND = "canary-command-word-e2c4"
LOG = "canary-log-line-77aa10"
REASON = "canary-in-a-wrong-place-3f"
EMAIL = "canary@example.com"

LOGIN, REFRESH = "POST /v1/auth/login", "POST /v1/auth/refresh"
ENROL, CODES = "POST /v1/agent/enrol", "POST /v1/hosts/codes"
CREDENTIALS, CLAIMS = "POST /v1/agent/credentials", "POST /v1/agent/claims"
LOGS, PAY = "GET /v1/jobs/{job_id}/logs", "POST /v1/orders/{order_id}/pay"

#: Where a secret is meant to be: the answer that hands it over, and the row that must keep it.
ANSWERS: Mapping[str, set[str]] = {
    "access_token": {LOGIN, REFRESH},
    "next_access_token": {LOGIN, REFRESH},
    "refresh_token": {LOGIN, REFRESH},
    "next_refresh_token": {LOGIN, REFRESH},
    "agent_token": {ENROL},
    "agent_secret": {ENROL},
    "enrolment_code": {CODES},
    "queue_key": {CREDENTIALS},
    "queue_session": {CREDENTIALS},
    "env": {CLAIMS},
    "command": {CLAIMS},
    "log": {LOGS},
}
ROWS: Mapping[str, set[str]] = {"env": {"spec"}, "command": {"spec"}}
CANARIES_MIN = 12


@dataclass
class Voyage:
    """A journey through the product with secrets on board, and all that was heard of it."""

    port: Port
    answers: list[tuple[str, Answer]] = field(default_factory=list)
    canaries: dict[str, str] = field(default_factory=dict)

    def ask(self, name: str, call: Call, token: str | None = None) -> Any:
        answer = self.port.ask(name, call, token)
        self.answers.append((name, answer))
        return answer.json if answer.text.startswith("{") else answer.text

    def body(self, name: str, body: Any, token: str | None = None) -> Any:
        return self.ask(name, Call(body=body), token)

    def plant(self, **found: str) -> None:
        assert all(len(each) >= 20 for each in found.values()), "too short to be told apart"
        self.canaries |= found

    def sign_in(self) -> str:
        """Register and sign in, right and wrong; renew; the access token."""
        credentials = {"email": EMAIL, "password": PASSWORD}
        self.plant(password=PASSWORD, next_password=NEXT_PASSWORD, wrong_password=WRONG_PASSWORD)
        self.body("POST /v1/auth/register", credentials)
        self.body("POST /v1/auth/register", credentials)
        self.body(LOGIN, credentials | {"password": WRONG_PASSWORD})
        first = self.body(LOGIN, credentials)
        second = self.body(REFRESH, {"refresh_token": first["refresh_token"]})
        self.plant(
            access_token=first["access_token"],
            refresh_token=first["refresh_token"],
            next_access_token=second["access_token"],
            next_refresh_token=second["refresh_token"],
        )
        return str(second["access_token"])

    def enrol(self) -> tuple[str, str]:
        """Enrol a host by a code, and once more; its token and boot."""
        admin = self.port.callers["admin"]
        code = self.body(CODES, {"labels": {"zone": "a"}}, admin)["code"]
        token = self.body(ENROL, enrolment(code))["token"]
        self.body(ENROL, enrolment(code))
        queues = self.ask(CREDENTIALS, Call(), token)
        boot = self.port.harbour.ports.ids.new("bot")
        first = good(self.port, "POST /v1/agent/heartbeat").body | {"boot": boot, "held": []}
        self.body("POST /v1/agent/heartbeat", first | {"problem": None}, token)
        self.plant(enrolment_code=code, agent_token=token, agent_secret=token.partition(".")[2])
        self.plant(queue_key=queues["secret_access_key"], queue_session=queues["session_token"])
        return str(token), boot

    def pay(self, token: str) -> None:
        """Top up with a notify that is believed, and with some that are not."""
        call = Call(
            body={"amount_fen": 9900, "kind": "topup"}, headers={"idempotency-key": "canary key"}
        )
        order = self.ask("POST /v1/orders", call, token)["id"]
        url = self.ask(PAY, Call(path={"order_id": order}, body={"method": "page"}), token)["url"]
        notify = self.port.harbour.till.pay(url)
        sign = dict(each.split("=", 1) for each in notify.decode().split("&"))["sign"]
        self.plant(
            notify_sign=sign,
            merchant_key=_inside(alipay.pair("merchant").private_pem),
            alipay_key=_inside(alipay.pair("alipay").private_pem),
        )
        form = {"content-type": alipay.FORM}
        for raw in (
            notify,
            notify,
            notify.replace(b"9900", b"9901"),
            notify + b"&x=1",
            notify[:-9],
        ):
            self.ask("POST /v1/alipay/notify", Call(raw=raw, headers=form))

    def work(self, token: str, host: str, boot: str) -> None:
        """Run a job that was given secrets, and look at it in every way there is."""
        self.plant(env=ENV, command=COMMAND, log=base64.b64encode(LOG.encode()).decode())
        spec = SPEC | {"env": {"TOKEN": ENV}, "command": [COMMAND]}
        key = {"idempotency-key": "canary job"}
        self.ask("POST /v1/quota/check", Call(body=spec), token)
        job = self.ask("POST /v1/jobs", Call(body=spec, headers=key), token)
        self.ask("POST /v1/jobs", Call(body=spec | {"max_run_s": 51}, headers=key), token)
        self.ask(
            "POST /v1/jobs", Call(body=spec | {"env": {"TOKEN": f"{ENV}\0"}}, headers=key), token
        )
        room = good(self.port, CLAIMS).body["free"]
        heard = [{"account": self._account(token), "job": job["id"], "attempt": 1}]
        claim = {"boot": boot, "free": room, "candidates": heard}
        grants = self.body(CLAIMS, claim, host)["grants"]
        grant = next(each for each in grants if each["job"] == job["id"])
        for said in (pieces(piece(grant, LOG)), pieces(piece(grant, LOG, size=1, offset=len(LOG)))):
            self.ask("POST /v1/agent/logs", said, host)
        ended = {"boot": boot, "reports": [report(grant, state="failed", exit_code=1)]}
        self.body("POST /v1/agent/reports", ended, host)
        path = {"job_id": job["id"]}
        for name, (_, route) in ROUTES.items():
            if route.method == "GET" and route.path_types.keys() <= {"job_id"}:
                self.ask(name, Call(path=path if route.path_types else {}), token)
                self.ask(
                    name, Call(path=path if route.path_types else {}), self.port.callers["admin"]
                )

    def lose_the_way(self, token: str) -> None:
        """Send secrets to where none belongs: queries, paths, headers, names of fields."""
        self.plant(misplaced=REASON)
        for name, (_, route) in ROUTES.items():
            call = good(self.port, name)
            said = {"x-secret": REASON, "cookie": REASON, "traceparent": REASON}
            wrong = dict.fromkeys(route.path_types, REASON)
            self.ask(name, Call(path=call.path, query=f"limit={REASON}"), token)
            self.ask(
                name, Call(path=wrong, body=call.body, headers={**call.headers, **said}), token
            )
            self.ask(name, Call(path=call.path, headers={"authorization": f"Bearer {REASON}"}))
            self.ask(name, Call(path=call.path, raw=f'"{REASON}"'.encode()), token)

    def leave(self, token: str) -> None:
        """Become the operator with a wrong and a right code, change the password, be banned."""
        code = self.port.operator_code
        self.plant(operator_code=code)
        operator = {"email": "op@example.com", "password": PASSWORD, "code": code}
        self.body("POST /v1/auth/operator", operator | {"code": f"{code}x"})
        self.body("POST /v1/auth/operator", operator)
        self.body("POST /v1/auth/operator", operator)
        change = {"old_password": PASSWORD, "new_password": NEXT_PASSWORD}
        self.body("POST /v1/auth/password", change | {"old_password": WRONG_PASSWORD}, token)
        self.body("POST /v1/auth/password", change | {"new_password": PASSWORD[:9]}, token)
        self.body("POST /v1/auth/password", change, token)
        self.body(REFRESH, {"refresh_token": self.canaries["refresh_token"]})
        self.ask("GET /v1/me", Call(), token)

    def _account(self, token: str) -> str:
        return str(self.port.ask("GET /v1/me", Call(), token).json["id"])


def _inside(pem: str) -> str:
    """Take a line from the middle of a key."""
    lines = pem.splitlines()
    return lines[len(lines) // 2]


@pytest.fixture
def voyage(port: Port) -> Voyage:
    found = Voyage(port)
    settings = edge.settings()
    found.plant(
        secret_key=edge.ENVIRON["SECRET_KEY"],
        token_key=settings.token_key.hex(),
        token_key_base64=base64.b64encode(settings.token_key).decode(),
        cursor_key=settings.cursor_key.hex(),
    )
    return found


@pytest.fixture
def heard(
    caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> Callable[[], str]:
    """Give all that was written: lines and metrics on stdout, and every record with its facts."""
    caplog.set_level(logging.DEBUG)

    def read() -> str:
        written = capsys.readouterr()
        records = [f"{record.getMessage()} {vars(record)}" for record in caplog.records]
        return "\n".join([written.out, written.err, caplog.text, *records])

    return read


def sail(voyage: Voyage) -> None:
    token = voyage.sign_in()
    host, boot = voyage.enrol()
    voyage.pay(token)
    voyage.work(token, host, boot)
    voyage.lose_the_way(token)
    voyage.leave(token)


def shown(voyage: Voyage) -> Iterator[str]:
    """Find the canaries in answers that are not the ones to hand them over."""
    for name, answer in voyage.answers:
        for canary, text in voyage.canaries.items():
            meant = answer.status < 300 and name in ANSWERS.get(canary, ())
            if not meant and text in f"{answer.text} {dict(answer.headers)}":
                yield f"{canary} in the answer {answer.status} of {name}"


def stored(voyage: Voyage) -> Iterator[str]:
    """Find the canaries in rows that are not the ones to keep them."""
    for key, item in voyage.port.rows.all.items():
        for canary, text in voyage.canaries.items():
            if item["record"] not in ROWS.get(canary, ()) and text in f"{key} {item}":
                yield f"{canary} in the {item['record']} row"


def test_no_secret_is_written_shown_or_stored(voyage: Voyage, heard: Callable[[], str]) -> None:
    sail(voyage)

    written = heard()
    found = [f"{name} in the log" for name, text in voyage.canaries.items() if text in written]
    assert [*found, *shown(voyage), *stored(voyage)] == []
    assert len(voyage.canaries) >= CANARIES_MIN
    assert [(name, answer) for name, answer in voyage.answers if answer.status >= 500] == []


def test_the_journey_took_every_secret_where_it_belongs(
    voyage: Voyage, heard: Callable[[], str]
) -> None:
    """A canary that never flew would be found nowhere: each is seen where it is meant to be."""
    sail(voyage)

    handed = {
        canary
        for canary in ANSWERS
        for name, answer in voyage.answers
        if name in ANSWERS[canary] and voyage.canaries[canary] in answer.text
    }
    kept = {
        canary
        for canary, records in ROWS.items()
        for item in voyage.port.rows.all.values()
        if item["record"] in records and voyage.canaries[canary] in str(item)
    }
    statuses = {answer.status for _, answer in voyage.answers}
    assert (handed, kept) == ({*ANSWERS}, {*ROWS})
    assert {200, 201, 202, 204, 400, 401, 403, 404, 409, 422} <= statuses
    assert '"_aws"' in heard()


def test_what_breaks_inside_is_logged_without_a_secret_and_shown_to_nobody(
    voyage: Voyage, heard: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    token = voyage.sign_in()
    host, boot = voyage.enrol()
    heard()
    voyage.answers.clear()

    def broken(*_arguments: Any) -> Any:
        raise RuntimeError("the disk is on fire")

    def unanswered(*_arguments: Any) -> Any:
        raise OutcomeUnknown("lost")

    for break_ in (broken, unanswered):
        monkeypatch.setattr(voyage.port.rows, "write", break_)
        _everything(voyage, token, host, boot)
        monkeypatch.setattr(voyage.port.rows, "read", break_)
        _everything(voyage, token, host, boot)
        monkeypatch.undo()

    written = heard()
    assert "the disk is on fire" in written
    assert [name for name, text in voyage.canaries.items() if text in written] == []
    assert not any("disk is on fire" in answer.text for _, answer in voyage.answers)
    assert [*shown(voyage)] == []
    assert {answer.status for _, answer in voyage.answers} >= {500, 503}


def _everything(voyage: Voyage, token: str, host: str, boot: str) -> None:
    spec = SPEC | {"env": {"TOKEN": ENV}}
    credentials = {"email": EMAIL, "password": PASSWORD}
    voyage.body(LOGIN, credentials)
    voyage.body("POST /v1/auth/register", credentials | {"email": "b@example.com"})
    voyage.body(REFRESH, {"refresh_token": voyage.canaries["next_refresh_token"]})
    voyage.ask("POST /v1/jobs", Call(body=spec, headers={"idempotency-key": "k"}), token)
    voyage.body(ENROL, enrolment(voyage.canaries["enrolment_code"]))
    voyage.ask("GET /v1/me", Call(), token)
    voyage.body("POST /v1/agent/assignments", {"boot": boot}, host)
    voyage.ask("POST /v1/alipay/notify", good(voyage.port, "POST /v1/alipay/notify"))
