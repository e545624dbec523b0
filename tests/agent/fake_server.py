"""FakeControl over HTTP, with two SQS queues beside it, for agents in processes of their own."""

import contextlib
import hashlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import msgspec

from tests.agent.fake_cloud import FakeControl
from wharfage.messages import (
    AssignmentsRequest,
    ClaimsRequest,
    EnrolRequest,
    HeartbeatRequest,
    LogsRequest,
    ReportsRequest,
)
from wharfage_agent.errors import CloudAway, Fenced


class FakeServer:
    """FakeControl over HTTP, and two SQS queues beside it."""

    def __init__(self, control: FakeControl) -> None:
        self.control = control
        self.calls: list[str] = []
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._http.server_port}"
        control.sqs_endpoint = self.url
        threading.Thread(target=self._http.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._http.shutdown()
        self._http.server_close()

    def answer(self, name: str, body: bytes) -> tuple[int, bytes]:
        kinds: dict[str, Any] = {
            "enrol": EnrolRequest,
            "heartbeat": HeartbeatRequest,
            "assignments": AssignmentsRequest,
            "claims": ClaimsRequest,
            "reports": ReportsRequest,
            "logs": LogsRequest,
        }
        self.calls.append(name)
        try:
            if name == "credentials":
                return 200, msgspec.json.encode(self.control.credentials())
            request = msgspec.json.decode(body, type=kinds[name])
            return 200, msgspec.json.encode(getattr(self.control, name)(request))
        except Fenced:
            return 409, b'{"code":"stale_boot"}'
        except CloudAway:
            return 503, b'{"code":"unavailable"}'
        except msgspec.ValidationError as error:
            return 422, json.dumps({"code": "invalid", "detail": str(error)}).encode()

    def sqs(self, action: str, body: dict[str, Any]) -> dict[str, Any]:
        queue = self.control.bells if body["QueueUrl"].endswith("/pool") else self.control.nudges
        if action == "ReceiveMessage":
            event = threading.Event()
            for _ in range(int(body.get("WaitTimeSeconds", 0)) * 50):
                if queue:
                    break
                event.wait(0.02)
            taken = queue[: body.get("MaxNumberOfMessages", 1)]
            return {
                "Messages": [
                    {
                        "MessageId": receipt,
                        "ReceiptHandle": receipt,
                        "Body": text,
                        "MD5OfBody": hashlib.md5(text.encode()).hexdigest(),
                    }
                    for receipt, text in taken
                ]
            }
        gone = {entry["ReceiptHandle"] for entry in body["Entries"]}
        queue[:] = [message for message in queue if message[0] not in gone]
        return {"Successful": [{"Id": e["Id"]} for e in body["Entries"]], "Failed": []}


def _handler(server: FakeServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            target = self.headers.get("X-Amz-Target")
            if target is not None:
                reply = server.sqs(target.partition(".")[2], json.loads(body))
                self._send(200, json.dumps(reply).encode(), "application/x-amz-json-1.0")
                return
            name = self.path.rpartition("/")[2]
            if (
                name != "enrol"
                and self.headers.get("Authorization") != f"Bearer {server.control.token}"
            ):
                self._send(401, b'{"code":"unauthenticated"}', "application/problem+json")
                return
            self._send(*server.answer(name, body), "application/json")

        def _send(self, status: int, body: bytes, kind: str) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            with contextlib.suppress(ConnectionError):  # A killed agent does not wait for it.
                self.end_headers()
                self.wfile.write(body)

        def log_message(self, *_: object) -> None: ...

    return Handler
