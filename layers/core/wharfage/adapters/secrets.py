"""Secrets kept in SSM Parameter Store, read when a process starts."""

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from wharfage.settings import SettingsError

_CONFIG = Config(connect_timeout=1, read_timeout=3, retries={"total_max_attempts": 2})


def parameter(name: str) -> str:
    """Read one SecureString.

    Raises: SettingsError, which names the parameter and never its value.
    """
    import boto3

    try:
        answer = boto3.client("ssm", config=_CONFIG).get_parameter(Name=name, WithDecryption=True)
    except (ClientError, BotoCoreError):
        raise SettingsError(f"the parameter {name} cannot be read") from None
    return str(answer["Parameter"]["Value"])
