"""The Docker Engine, as the agent's core sees it. Nothing else here imports `docker`."""

from wharfage_agent.engine.client import DockerEngine

__all__ = ["DockerEngine"]
