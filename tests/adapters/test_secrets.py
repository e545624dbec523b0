"""Secrets in SSM, against moto in this process: read whole, and never shown when they are not."""

import boto3
import pytest
from moto import mock_aws

from wharfage.adapters.secrets import parameter
from wharfage.settings import SettingsError


@pytest.fixture(autouse=True)
def aws(monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    with mock_aws():
        yield


def test_a_secure_string_is_read_in_the_clear():
    boto3.client("ssm").put_parameter(Name="/wharfage/key", Value="s3cret", Type="SecureString")

    assert parameter("/wharfage/key") == "s3cret"


def test_a_parameter_that_is_not_there_is_named():
    with pytest.raises(SettingsError, match="/wharfage/none"):
        parameter("/wharfage/none")
