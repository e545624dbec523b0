"""The main story in Python: sign up, top up, run a container, read its log, see what it cost.

It needs the package `wharfage` (`pip install .` in a checkout) and an address to ask:

    WHARFAGE_URL=http://127.0.0.1:8080 EMAIL=you@example.com PASSWORD=... python main_story.py
"""

import os
import sys
import urllib.request

from wharfage_client.api import Client
from wharfage_client.errors import NoFunds

URL = os.environ["WHARFAGE_URL"]
EMAIL = os.environ["EMAIL"]
PASSWORD = os.environ["PASSWORD"]
IMAGE = os.environ.get("IMAGE", "wharfage/demo:latest")  # It is on every local stack.
SPEC = {"image": IMAGE, "command": ["echo", "ahoy"], "max_run_s": 600}


def sign_up() -> str:
    """Make an account and begin a session; return its access token."""
    with Client(URL) as nobody:
        nobody.account.register(EMAIL, PASSWORD)
        return nobody.account.sign_in(EMAIL, PASSWORD)["access_token"]


def top_up(client: Client, fen: int) -> None:
    """Open an order and wait until it is paid."""
    # The same key again is the same order: after a time-out, ask the same.
    order = client.orders.open(fen, key=f"order-{EMAIL}")
    address = client.orders.pay(order["id"], method="qr")["qr_text"]
    print(f"To be paid at {address}")
    if os.environ.get("PAY") == "sandbox":  # Press the sandbox's Pay button.
        urllib.request.urlopen(f"{address}/pay", data=b"").close()
    while order["state"] == "open":
        order = client.orders.get(order["id"], wait_seconds=20)
    assert order["state"] == "paid", order


def run(client: Client) -> None:
    """Run a container and write what it writes."""
    check = client.quota.check(SPEC)
    print(f"It holds {check['hold_fen']} fen; {check['available_fen']} are available.")
    job = client.jobs.submit(SPEC, key=f"job-{EMAIL}")
    while not job["is_terminal"]:
        job = client.jobs.get(job["id"], wait_seconds=20, version=job["version"])
    for part in client.jobs.logs(job["id"], follow=True):
        sys.stdout.buffer.write(part.data)
    sys.stdout.buffer.flush()
    print(f"{job['id']} {job['status']}, cost {job['cost_fen']} fen")


def main() -> None:
    with Client(URL, token=sign_up()) as client:
        try:
            run(client)
        except NoFunds as refusal:
            print(f"As expected, nothing runs on credit: {refusal}")
        top_up(client, 1000)
        run(client)
        for entry in client.ledger.newest(most=10):
            print(entry["posted_at"], entry["code"], entry["amount_fen"], entry["reference"])


if __name__ == "__main__":
    main()
