"""The client of Wharfage: a small library over the public HTTP API, and the `wharfage` command.

from wharfage_client.api import Client

with Client("https://wharfage.example", token=token) as client:
    job = client.jobs.submit({"image": "busybox", "command": ["echo", "ahoy"]})
    for part in client.jobs.logs(job["id"], follow=True):
        sys.stdout.buffer.write(part.data)
"""

__version__ = "0.1.0"
