"""What DynamoDB's errors mean: refused, contended, unknown, our own mistake, or the operator's."""

from collections.abc import Mapping
from typing import Any, NoReturn

from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError
from botocore.exceptions import ConnectionError as NotConnected
from pynamodb.exceptions import PynamoDBException

from wharfage.adapters.rows import Contended, OutcomeUnknown

ERRORS = (PynamoDBException, ClientError, BotoCoreError)  #: All that pynamodb lets through.

CONDITION_FAILED = "ConditionalCheckFailed"
_CONTENDED = {
    "ProvisionedThroughputExceeded",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "ThrottlingError",
    "ThrottlingException",
    "TransactionConflict",
    "TransactionConflictException",
}
_UNKNOWN = {
    "InternalFailure",
    "InternalServerError",
    "ServiceUnavailable",
    "ServiceUnavailableException",
    "TransactionInProgressException",
}
_MISTAKES = {
    "ItemCollectionSizeLimitExceeded",
    "ItemCollectionSizeLimitExceededException",
    "ValidationError",
    "ValidationException",
    "SerializationException",
}


def answer_of(error: Exception) -> Mapping[str, Any]:
    """Return what DynamoDB answered, empty if it did not answer."""
    cause = _cause(error)
    return cause.response if isinstance(cause, ClientError) else {}


def failed_conditions(error: Exception) -> list[Mapping[str, Any] | None] | None:
    """Return, for each item of a transaction, the reason if its condition failed, else None.

    Return None if the error is another one: a conflict or a throttle in any reason is never read
    as a refusal.
    """
    answer = answer_of(error)
    match answer.get("Error", {}).get("Code"):
        case "ConditionalCheckFailedException":
            return [answer]
        case "TransactionCanceledException":
            reasons = answer.get("CancellationReasons", [])
            codes = {reason["Code"] for reason in reasons}
            if CONDITION_FAILED in codes and not codes & _CONTENDED:
                return [
                    reason if reason["Code"] == CONDITION_FAILED else None for reason in reasons
                ]
    return None


def explain(error: Exception) -> NoReturn:
    """Raise what an error means, if it is no failed condition.

    Raises: Contended, OutcomeUnknown; AssertionError, where our request was wrong; the error
    itself, where nothing but the operator can help: no table, no permission, no credentials.
    """
    cause = _cause(error)
    if isinstance(cause, NotConnected):
        raise Contended(str(cause)) from error  # It was never sent.
    if isinstance(cause, HTTPClientError):
        raise OutcomeUnknown(str(cause)) from error
    answer = answer_of(error)
    codes = {answer.get("Error", {}).get("Code")}
    codes |= {reason["Code"] for reason in answer.get("CancellationReasons", [])}
    status = answer.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    if codes & _CONTENDED:
        raise Contended(str(cause)) from error
    if codes & _UNKNOWN or status >= 500:
        raise OutcomeUnknown(str(cause)) from error
    if codes & _MISTAKES:
        raise AssertionError(f"DynamoDB cannot do this: {cause}") from error
    raise error


def _cause(error: Exception) -> BaseException:
    """Find botocore's own error within pynamodb's, which leaves a part of the answer out."""
    cause: BaseException = (error.cause or error) if isinstance(error, PynamoDBException) else error
    return cause.__cause__ if isinstance(cause.__cause__, ClientError) else cause
