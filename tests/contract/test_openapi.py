"""The OpenAPI document is current, valid, and says of each route what the code does."""

import json

import pytest
from openapi_spec_validator import validate

from infrastructure import openapi
from infrastructure.template import CHECKOUT


@pytest.fixture(scope="module")
def document():
    return json.loads(openapi.DOCUMENT.read_text())


def test_the_committed_document_is_what_the_code_makes():
    assert openapi.DOCUMENT.read_bytes() == openapi.generated()


def test_the_docs_show_the_same_document():
    assert (CHECKOUT / "docs/openapi.json").read_bytes() == openapi.DOCUMENT.read_bytes()


def test_the_document_is_valid(document):
    validate(document)


def test_limits_of_types_are_in_the_document(document):
    parameters = document["paths"]["/v1/me/sessions"]["get"]["parameters"]
    limit = next(each for each in parameters if each["name"] == "limit")

    assert limit["schema"] == {"type": "integer", "minimum": 1, "maximum": 100, "default": 20}


def test_a_route_says_who_may_call_it(document):
    paths = document["paths"]

    assert paths["/v1/health"]["get"]["security"] == []
    assert paths["/v1/me"]["get"]["security"] == [{"session": []}]
    assert paths["/v1/admin/users"]["get"]["x-role"] == "admin"
    assert paths["/v1/agent/heartbeat"]["post"]["security"] == [{"host": []}]


def test_an_idempotent_route_asks_for_its_key(document):
    parameters = document["paths"]["/v1/jobs"]["post"]["parameters"]

    assert [each["name"] for each in parameters if each["in"] == "header"] == ["Idempotency-Key"]


def test_operation_ids_are_unique(document):
    ids = [each["operationId"] for item in document["paths"].values() for each in item.values()]

    assert len(ids) == len(set(ids))
