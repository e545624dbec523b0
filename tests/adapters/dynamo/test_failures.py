"""What each error of DynamoDB means."""

from typing import Any

import pytest
from botocore.exceptions import (
    ClientError,
    ConnectionClosedError,
    ConnectTimeoutError,
    EndpointConnectionError,
    NoCredentialsError,
    ReadTimeoutError,
)
from pynamodb.exceptions import QueryError, TransactWriteError, VerboseClientError

from wharfage.adapters.dynamo.failures import explain, failed_conditions
from wharfage.adapters.rows import Contended, OutcomeUnknown

URL = "http://127.0.0.1:1"


def answered(code: str, *, status: int = 400, **answer: Any) -> ClientError:
    response: Any = {
        "Error": {"Code": code, "Message": ""},
        "ResponseMetadata": {"HTTPStatusCode": status},
        **answer,
    }
    return ClientError(response, "TransactWriteItems")


def cancelled(*codes: str) -> Exception:
    """Make the error of a cancelled transaction as pynamodb raises it."""
    inner = answered(
        "TransactionCanceledException", CancellationReasons=[{"Code": code} for code in codes]
    )
    try:
        raise VerboseClientError(
            {"Error": inner.response["Error"]}, "TransactWriteItems"
        ) from inner
    except VerboseClientError as verbose:
        return TransactWriteError("failed", verbose)


@pytest.mark.parametrize(
    ("error", "meaning"),
    [
        (answered("ThrottlingException"), Contended),
        (answered("ProvisionedThroughputExceededException"), Contended),
        (answered("RequestLimitExceeded"), Contended),
        (answered("TransactionConflictException"), Contended),
        (cancelled("TransactionConflict", "None"), Contended),
        (cancelled("None", "ThrottlingError"), Contended),
        (cancelled("ProvisionedThroughputExceeded"), Contended),
        (cancelled("ConditionalCheckFailed", "TransactionConflict"), Contended),
        (cancelled("ThrottlingError", "ConditionalCheckFailed"), Contended),
        (EndpointConnectionError(endpoint_url=URL), Contended),
        (ConnectTimeoutError(endpoint_url=URL), Contended),
        (ReadTimeoutError(endpoint_url=URL), OutcomeUnknown),
        (ConnectionClosedError(endpoint_url=URL), OutcomeUnknown),
        (answered("InternalServerError", status=500), OutcomeUnknown),
        (answered("SomethingNew", status=503), OutcomeUnknown),
        (answered("TransactionInProgressException"), OutcomeUnknown),
        (answered("ValidationException"), AssertionError),
        (cancelled("None", "ValidationError"), AssertionError),
        (answered("ResourceNotFoundException"), ClientError),
        (answered("AccessDeniedException"), ClientError),
        (NoCredentialsError(), NoCredentialsError),
    ],
)
def test_an_error_has_one_meaning(error, meaning):
    assert failed_conditions(error) is None
    with pytest.raises(meaning) as caught:
        explain(error)
    assert type(caught.value) is meaning


def test_an_error_within_pynamodbs_own_means_the_same():
    with pytest.raises(OutcomeUnknown):
        explain(QueryError("failed", ReadTimeoutError(endpoint_url=URL)))


def test_failed_conditions_come_back_in_their_order():
    reasons = failed_conditions(cancelled("None", "ConditionalCheckFailed", "ValidationError"))

    assert reasons == [None, {"Code": "ConditionalCheckFailed"}, None]


def test_one_write_alone_has_one_failed_condition():
    error = answered("ConditionalCheckFailedException", Item={"a": {"N": "1"}})

    [reason] = failed_conditions(error) or []

    assert reason is not None
    assert reason["Item"] == {"a": {"N": "1"}}
