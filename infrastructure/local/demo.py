"""The main story, told on real parts with the commands a customer would type.

Sign up, top up at the sandbox's cashier, run a container, read its log, see what it cost. What was
done once is not done again: a story that was broken off goes on where it can, at any point.
"""

import hashlib
import http.client
import json
import os
import re
import secrets
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from infrastructure.local import engine, packaged, picture, picture_tool
from infrastructure.local.host import STACK
from infrastructure.local.packaged import IMAGEMAGICK_IMAGE, PackagesMissing
from infrastructure.local.paths import made
from infrastructure.local.process import environment
from infrastructure.local.stack import Stack
from infrastructure.local.supervisor import running
from infrastructure.setup.layout import ROOT
from wharfage.domain.spec import VOLUME_PATH
from wharfage.operations import templates

EMAIL = "customer@demo.wharfage.example"
TOPUP_YUAN = "10"
PLAN = "basic"
MESSAGE = "Hello from a container that was paid for."
_START_SECONDS = 120
_COMMAND_SECONDS = 120
_POLL_SECONDS = 0.2

Say = Callable[[str], None]


class StoryBroken(Exception):
    """A step of the story did not end as it should; the message says which, and what to look at."""


def tell(stack: Stack, *, say: Say) -> None:
    """Bring the stack up in the background, and tell the story on it. Raises: StoryBroken."""
    started = time.monotonic()
    start(stack, say=say)
    customer = _Customer(stack, say)
    say("\n1. A customer signs up.")
    customer.sign_in()
    say(f"\n2. The customer tops up CNY {TOPUP_YUAN} with Alipay: here, the sandbox's cashier.")
    customer.top_up()
    say("\n3. The customer runs a container. Its worst case is held, then what it used is charged.")
    customer.run_container()
    say("\n4. What it cost, and every move of money.")
    customer.look()
    say("\n5. The customer becomes a member: for CNY 99 a month there are 100 units.")
    customer.join()
    say("\n6. A prepared job, for units: a picture goes in, what a real program made comes out.")
    customer.shrink_a_picture()
    took = time.monotonic() - started
    say(f"\nThat was the main story, in {took:.0f} s, on real parts. The stack stays up.\n")
    folder = os.path.relpath(stack.client_home, ROOT)
    say(f"  The API is at {stack.url}. To go on as this customer:\n")
    say(f"    export WHARFAGE_CONFIG=$PWD/{folder} PATH=$PWD/.venv/bin:$PATH")
    say("    wharfage run --follow wharfage/demo:latest")
    say("    wharfage ledger\n")
    say("  And to take everything down again:\n\n    ./dev demo --stop")


def start(stack: Stack, *, say: Say) -> None:
    """Have the stack up, in the background; what is up already stays. Raises: StoryBroken."""
    if running(stack.paths):  # Perhaps on its way: a story may have been broken off just there.
        _await_up(stack, lambda: running(stack.paths) is not None)
        say(f"The stack is up already at {stack.url}.")
        return
    say("Starting the stack: engine, registry, queues, payment sandboxes, API, agent ...")
    stack.up_mark.unlink(missing_ok=True)
    with _log(stack).open("ab") as output:
        child = subprocess.Popen(
            (sys.executable, "-m", "infrastructure.local", "up", *_options(stack)),
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    _await_up(stack, lambda: child.poll() is None)
    say(f"The stack is up at {stack.url}.")


def _await_up(stack: Stack, alive: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while not stack.up_mark.exists():
        if not alive() or time.monotonic() > deadline:
            log = _log(stack)
            tail = "\n".join(log.read_text(errors="replace").splitlines()[-20:])
            raise StoryBroken(f"The stack did not come up. The end of {log}:\n{tail}")
        time.sleep(_POLL_SECONDS)


def _log(stack: Stack) -> Path:
    return made(stack.paths.logs) / "stack.log"


def _options(stack: Stack) -> Sequence[str]:
    endpoint = ("--endpoint", stack.choice.endpoint) if stack.choice.endpoint else ()
    return ("--store", stack.choice.store, *endpoint)


@dataclass(frozen=True, slots=True)
class _Customer:
    """Somebody at a terminal, with the `wharfage` command."""

    stack: Stack
    say: Say

    def sign_in(self) -> None:
        """Sign in; sign up before that, the first time."""
        password = self._password()
        given = ("--email", EMAIL, "--password-stdin")
        shown = subprocess.run(
            self._command("login", *given, "--json"),
            env=self._environ,
            input=password,
            capture_output=True,
            check=False,
            text=True,
            timeout=_COMMAND_SECONDS,
        )
        if shown.returncode == 0:
            self.say(f"   {EMAIL} was here before, and is signed in.")
            return
        self._typed("register", *given, stdin=password)

    def top_up(self) -> None:
        """Open an order, pay it at the cashier when its address is shown, wait for the money."""
        self._pay("topup", TOPUP_YUAN)

    def join(self) -> None:
        """Buy a month of membership, unless there is one."""
        if json.loads(self._asked("quota"))["period"] is None:
            self._pay("membership", PLAN)
        else:
            self.say("   The customer is a member already.")

    def _pay(self, *arguments: str) -> None:
        self.say(f"   $ wharfage {_shown(arguments)}")
        child = subprocess.Popen(
            self._command(*arguments),
            env=self._environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert child.stdout is not None
        cashier = re.compile(re.escape(self.stack.sandboxes.alipay_url) + r"/cashier/[\w-]+")
        paid = False
        with child:
            for line in child.stdout:
                self.say(f"   {line.rstrip()}")
                if not paid and (address := cashier.search(line)):
                    paid = True
                    self.say("   (pressing Pay at the cashier)")
                    _press_pay(address[0])
        if child.returncode != 0 or not paid:
            raise StoryBroken(f"The payment did not end as it should (exit {child.returncode}).")

    def run_container(self) -> None:
        """Run the demo image as a job and follow it to its end."""
        script = f"echo {MESSAGE}; for n in 1 2 3; do echo line $n; sleep 1; done"
        output = self._typed(
            "run", "--follow", "--progress", "plain", self._image(), "--", "sh", "-c", script
        )
        if MESSAGE not in output:
            raise StoryBroken("The container's output did not arrive.")

    def look(self) -> None:
        """Show the job, the balance and the ledger."""
        self._typed("ps", "--all")
        self._typed("quota")
        ledger = self._typed("ledger")
        if "use" not in ledger or "topup" not in ledger:
            raise StoryBroken("The ledger does not show the top-up and the charge.")

    def shrink_a_picture(self) -> None:
        """Upload a picture, run the template of ImageMagick on it, fetch the result by its link."""
        try:
            self._make_imagemagick()
        except PackagesMissing as reason:
            self.say(f"   Left out, for {reason}.")
            return
        templates.define(self.stack.wired.ports, STACK, picture_tool.TEMPLATE)
        folder = made(self.stack.client_home)
        source, results = folder / "harbour.png", folder / "results"
        source.write_bytes(picture.harbour())
        self._typed("templates")
        job = self._typed(
            *("run", "--detach", "--template", picture_tool.TEMPLATE.name),
            *("--file", f"{picture_tool.PICTURE}={source}", "percent=50"),
        )
        listed = self._typed("outputs", job.strip(), "--to", str(results))
        self._typed("quota")
        small = results / Path(picture_tool.RESULT).relative_to(VOLUME_PATH)
        data = small.read_bytes()
        found, digest = picture.Picture.read(data), hashlib.sha256(data).hexdigest()
        expected = picture.Picture(picture.WIDTH // 2, picture.HEIGHT // 2, grey=True)
        if found != expected or digest not in listed:
            raise StoryBroken(f"The small picture is not what it should be: {found}.")
        size = f"{found.width} x {found.height}"
        self.say(f"   {small}: {size}, grey, and its SHA-256 is the one listed.")

    def _make_imagemagick(self) -> None:
        found = engine.probe(self.stack.engine_url)
        if found is None:
            raise PackagesMissing("the engine does not answer")
        with closing(engine.connect(found)) as client:
            packaged.image(
                client,
                picture_tool.PACKAGES,
                reference=IMAGEMAGICK_IMAGE,
                cache=made(self.stack.paths.packages),
                say=lambda text: self.say(f"   {text}"),
            )

    def _image(self) -> str:
        """Name an image that has to be pulled, or where there is no registry, one that is here."""
        registered = (self.stack.paths.registry / "storage").exists()
        return self.stack.registry_image if registered else "wharfage/demo:latest"

    def _asked(self, *arguments: str) -> str:
        """Run a command that only looks, and give what it says as JSON. Raises: StoryBroken."""
        done = subprocess.run(
            self._command(*arguments, "--json"),
            env=self._environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            text=True,
            timeout=_COMMAND_SECONDS,
        )
        if done.returncode != 0:
            raise StoryBroken(f"`wharfage {arguments[0]}`: {done.stderr.strip()}")
        return done.stdout

    def _typed(self, *arguments: str, stdin: str | None = None) -> str:
        """Show a command, run it, show what it says. Raises: StoryBroken."""
        self.say(f"   $ wharfage {_shown(arguments)}")
        child = subprocess.Popen(
            self._command(*arguments),
            env=self._environ,
            stdin=subprocess.PIPE if stdin is not None else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        with child:
            if stdin is not None and child.stdin is not None:
                child.stdin.write(stdin)
                child.stdin.close()
            assert child.stdout is not None
            lines = []
            for line in child.stdout:
                lines.append(line)
                self.say(f"   {line.rstrip()}")
        if child.returncode != 0:
            name = arguments[0]
            raise StoryBroken(f"`wharfage {name}` ended with exit code {child.returncode}.")
        return "".join(lines)

    def _command(self, *arguments: str) -> tuple[str, ...]:
        return (str(Path(sys.executable).with_name("wharfage")), *arguments)

    @property
    def _environ(self) -> dict[str, str]:
        return environment(**self.stack.client_environ())

    def _password(self) -> str:
        """Give the demo customer's password: made once, kept where only this user reads."""
        file = made(self.stack.client_home) / "password"
        if not file.exists():
            draft = file.with_suffix(".new")
            with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT, 0o600), "w") as opened:
                opened.write(secrets.token_urlsafe(18))
            draft.replace(file)
        return file.read_text()


def _press_pay(address: str) -> None:
    parts = urlsplit(address)
    connection = http.client.HTTPConnection(parts.netloc, timeout=10)
    try:
        connection.request("POST", f"{parts.path}/pay")
        status = connection.getresponse().status
    finally:
        connection.close()
    if status not in (http.client.OK, http.client.SEE_OTHER, http.client.FOUND):
        raise StoryBroken(f"The cashier answered {status}.")


def _shown(arguments: Sequence[str]) -> str:
    return " ".join(json.dumps(word) if " " in word else word for word in arguments)
