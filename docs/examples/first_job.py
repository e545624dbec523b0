"""Run a container from Python, copy its output, and leave with its exit code."""

import os
import sys

from wharfage_client.api import Client

with Client(os.environ["WHARFAGE_URL"], token=os.environ["WHARFAGE_TOKEN"]) as client:
    job = client.jobs.submit({"image": os.environ["IMAGE"], "command": ["echo", "ahoy"]})
    for part in client.jobs.logs(job["id"], follow=True):
        stream = sys.stderr if part.stream == "stderr" else sys.stdout
        stream.buffer.write(part.data)
    while not job["is_terminal"]:
        job = client.jobs.get(job["id"], wait_seconds=20, version=job["version"])
sys.exit(job["exit_code"])
