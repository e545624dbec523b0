"""The outside world behind the ports: stores, queues, channels, credentials."""
