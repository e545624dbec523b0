"""Lets `python -m wharfage_agent` run the agent."""

import sys

from wharfage_agent.main import main

sys.exit(main())
