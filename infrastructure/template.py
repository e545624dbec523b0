"""`template.yaml`, read: every function, with its routes, schedules and queues.

The template is the map: the gateway serves what it declares, and tests hold the code equal to it.
"""

import importlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, cast

import yaml

CHECKOUT = Path(__file__).resolve().parents[1]
TEMPLATE = CHECKOUT / "template.yaml"

_FUNCTION = "AWS::Serverless::Function"
_UNIT_SECONDS = {"minute": 60, "hour": 3600, "day": 86_400}


@dataclass(frozen=True, kw_only=True, slots=True)
class Schedule:
    """A handler that is called again and again."""

    name: str
    handler: str  #: The attribute of the function's module.
    every_seconds: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Function:
    """One Lambda: its folder's module, and what calls it."""

    name: str
    module: str
    handler: str
    timeout_seconds: int
    routes: tuple[tuple[str, str], ...]  #: Pairs of method and path.
    schedules: tuple[Schedule, ...]

    def load(self, attribute: str | None = None) -> Any:
        """Import the function's file, once, and return its handler."""
        return getattr(importlib.import_module(self.module), attribute or self.handler)


@cache
def functions() -> tuple[Function, ...]:
    """Read every function that the template declares, in its order."""
    document = yaml.load(TEMPLATE.read_text(), Loader=_Loader)  # noqa: S506 - a SafeLoader of ours.
    defaults = document.get("Globals", {}).get("Function", {})
    return tuple(
        _function(name, {**defaults, **resource["Properties"]})
        for name, resource in document["Resources"].items()
        if resource["Type"] == _FUNCTION
    )


class _Loader(yaml.SafeLoader):
    """YAML with CloudFormation's short tags, each as its long form."""


def _intrinsic(loader: yaml.SafeLoader, suffix: str, node: yaml.Node) -> dict[str, Any]:
    name = suffix if suffix in ("Ref", "Condition") else f"Fn::{suffix}"
    if isinstance(node, yaml.ScalarNode):
        return {name: loader.construct_scalar(node)}
    if isinstance(node, yaml.SequenceNode):
        return {name: loader.construct_sequence(node, deep=True)}
    return {name: loader.construct_mapping(cast(yaml.MappingNode, node), deep=True)}


_Loader.add_multi_constructor("!", _intrinsic)


def _function(name: str, properties: Mapping[str, Any]) -> Function:
    file, _, handler = properties["Handler"].partition(".")
    folder = properties["CodeUri"].strip("./").replace("/", ".")
    events = properties.get("Events", {})
    return Function(
        name=name,
        module=f"{folder}.{file}",
        handler=handler,
        timeout_seconds=properties["Timeout"],
        routes=tuple(_routes(events)),
        schedules=tuple(_schedules(events, handler)),
    )


def _routes(events: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for event in events.values():
        if event["Type"] == "HttpApi":
            properties = event["Properties"]
            yield properties["Method"].upper(), properties["Path"]


def _schedules(events: Mapping[str, Any], handler: str) -> Iterator[Schedule]:
    for name, event in events.items():
        if event["Type"] == "Schedule":
            every_seconds = rate_seconds(event["Properties"]["Schedule"])
            yield Schedule(name=name, handler=handler, every_seconds=every_seconds)


def rate_seconds(expression: str) -> int:
    """Read `rate(5 minutes)` as seconds. Raises: ValueError for anything else."""
    inside = expression.removeprefix("rate(").removesuffix(")")
    count, _, unit = inside.partition(" ")
    if inside == expression or unit.removesuffix("s") not in _UNIT_SECONDS:
        raise ValueError(f"{expression} is not rate(<n> minutes|hours|days)")
    return int(count) * _UNIT_SECONDS[unit.removesuffix("s")]
