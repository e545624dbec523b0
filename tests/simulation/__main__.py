"""Runs worlds: `python -m tests.simulation --seeds N --from S`, or one `--seed N --trace`."""

import sys

from tests.simulation.runner import main

sys.exit(main(sys.argv[1:]))
