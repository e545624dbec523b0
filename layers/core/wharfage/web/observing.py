"""What the edge writes about each request: one JSON log line and one set of metrics (EMF)."""

import logging
import sys
from typing import IO, Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.metrics import EphemeralMetrics, MetricUnit

from wharfage.domain import masking

NAMESPACE = "Wharfage"


class _Stdout(logging.StreamHandler[Any]):
    """Writes to what `sys.stdout` is when a line is written, not to what it was at import.

    People's data is masked in the whole line, whatever it came by: a message, a fact, a trace.
    """

    def format(self, record: logging.LogRecord) -> str:
        return masking.text(super().format(record))

    @property
    def stream(self) -> IO[str]:
        return sys.stdout

    @stream.setter
    def stream(self, value: IO[str]) -> None:
        """Take no notice: there is only one stream."""


#: Its name is our package's, so every `logging.getLogger(__name__)` below reaches it.
logger = Logger(service="wharfage", logger_handler=_Stdout(), use_rfc3339=True, utc=True)


def count(function: str, route: str, status: int, milliseconds: float) -> None:
    """Write the metrics of one answered request."""
    metrics = EphemeralMetrics(namespace=NAMESPACE, service=function)
    metrics.add_dimension(name="route", value=route)
    metrics.add_metric(name="latency", unit=MetricUnit.Milliseconds, value=milliseconds)
    metrics.add_metric(name="requests", unit=MetricUnit.Count, value=1)
    metrics.add_metric(name="refusals", unit=MetricUnit.Count, value=int(400 <= status < 500))
    metrics.add_metric(name="failures", unit=MetricUnit.Count, value=int(status >= 500))
    metrics.flush_metrics()


def tally(function: str, name: str) -> None:
    """Count one thing that is worth an alarm of its own."""
    metrics = EphemeralMetrics(namespace=NAMESPACE, service=function)
    metrics.add_metric(name=name, unit=MetricUnit.Count, value=1)
    metrics.flush_metrics()
