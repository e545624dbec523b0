"""What live tests stand on: a Docker Engine, a registry, an emulator and a DynamoDB, all real."""

from tests.fixtures.machine import (
    demo_image,
    dynamodb_endpoint,
    emulator,
    engine_of_tests,
    engine_url,
    local_registry,
    ministack_dynamodb_endpoint,
)

__all__ = [
    "demo_image",
    "dynamodb_endpoint",
    "emulator",
    "engine_of_tests",
    "engine_url",
    "local_registry",
    "ministack_dynamodb_endpoint",
]
