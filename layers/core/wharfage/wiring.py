"""Chooses the adapters: settings in, Ports out. Clients are made when they are first used."""

import os
import threading
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import msgspec

from wharfage.adapters.breakers import Breakers
from wharfage.adapters.clock import SystemClock
from wharfage.adapters.folder import FolderObjects
from wharfage.adapters.ids import RandomIds
from wharfage.adapters.passwords import Argon2Passwords
from wharfage.adapters.tokens import JwtAccessTokens
from wharfage.domain.membership import Plan
from wharfage.domain.price import PriceList
from wharfage.domain.risk import OrderRules
from wharfage.domain.terms import Terms
from wharfage.ports import Channel, CredentialIssuer, Objects, Ports, Queue, Store
from wharfage.settings import Settings, SettingsError, read


@dataclass(frozen=True, kw_only=True, slots=True)
class Wired:
    """A process's settings and the ports that were made from them."""

    settings: Settings
    ports: Ports


_lock = threading.Lock()
_shared: Wired | None = None


def shared() -> Wired:
    """Return the wiring of this process, made from its environment when first asked for.

    Raises: SettingsError.
    """
    global _shared  # noqa: PLW0603 - one process has one environment.
    with _lock:
        if _shared is None:
            settings = read(os.environ, _resolve)
            _shared = Wired(settings=settings, ports=ports_from(settings))
        return _shared


def ports_from(settings: Settings) -> Ports:
    """Choose the adapters that these settings ask for."""
    breakers = Breakers(SystemClock())
    return Ports(
        store=_store(settings),
        queue=_queue(settings),
        channels={channel.name: breakers.around(channel) for channel in _preferred_first(settings)},
        breakers=breakers,
        clock=SystemClock(),
        ids=RandomIds(),
        passwords=Argon2Passwords(),
        access_tokens=JwtAccessTokens(key=settings.token_key, issuer=settings.public_url),
        credentials=_credentials(settings),
        objects=_objects(settings),
        prices=prices(),
        plans=plans(),
        terms=Terms(
            registries=settings.registries,
            pools=settings.pools,
            agent_version_min=settings.agent_version_min,
            order_rules=order_rules(),
            remote_hosts=not settings.local,
        ),
    )


def prices() -> PriceList:
    """Read the price list that is part of this package."""
    text = files("wharfage").joinpath("prices.toml").read_text()
    return msgspec.convert(tomllib.loads(text), PriceList)


def order_rules() -> OrderRules:
    """Read the rules for unusual orders that are part of this package."""
    text = files("wharfage").joinpath("risk.toml").read_text()
    return msgspec.convert(tomllib.loads(text), OrderRules)


def plans() -> Mapping[str, Plan]:
    """Read the membership plans that are part of this package."""
    text = files("wharfage").joinpath("plans.toml").read_text()
    found = msgspec.convert(tomllib.loads(text)["plans"], list[Plan])
    return {plan.name: plan for plan in found}


def _resolve(name: str) -> str:
    from wharfage.adapters.secrets import parameter

    return parameter(name)


def _store(settings: Settings) -> Store:
    if settings.store == "dynamodb":
        from wharfage.adapters.dynamo import dynamo_store

        return dynamo_store(
            prefix=settings.table_prefix,
            region=settings.region,
            endpoint=settings.dynamodb_endpoint,
        )
    from wharfage.adapters import embedded

    if settings.store == "memory":
        return embedded.memory_store()
    if settings.store_file is None:
        raise SettingsError("STORE=embedded needs STORE_FILE")
    return embedded.file_store(settings.store_file)


def _queue(settings: Settings) -> Queue:
    from wharfage.adapters.sqs import SqsQueue

    return SqsQueue(
        prefix=settings.queue_prefix, region=settings.region, endpoint=settings.sqs_endpoint
    )


def _credentials(settings: Settings) -> CredentialIssuer:
    from wharfage.adapters.sts import StsCredentialIssuer

    return StsCredentialIssuer(
        role_arn=settings.host_role_arn,
        prefix=settings.queue_prefix,
        region=settings.region,
        sts_endpoint=settings.sts_endpoint,
        sqs_endpoint=settings.sqs_endpoint,
    )


def _objects(settings: Settings) -> Objects:
    if settings.objects_folder is not None:
        return folder_objects(settings, settings.objects_folder)
    from wharfage.adapters.s3 import S3Objects

    assert settings.objects_bucket is not None, "the settings were checked"
    return S3Objects(
        bucket=settings.objects_bucket,
        region=settings.region,
        endpoint=settings.s3_endpoint,
        clock=SystemClock(),
    )


def folder_objects(settings: Settings, root: Path) -> FolderObjects:
    """Make the files of the local stack; the gateway serves their links."""
    return FolderObjects(
        root, url=settings.public_url, key=settings.object_key, clock=SystemClock()
    )


def _preferred_first(settings: Settings) -> list[Channel]:
    """Order the channels as the operator prefers them; those not named come last."""
    preference = settings.channel_preference

    def place(channel: Channel) -> int:
        named = channel.name in preference
        return preference.index(channel.name) if named else len(preference)

    return sorted(_channels(settings), key=place)


def _channels(settings: Settings) -> list[Channel]:
    """Make the channels that are set up; each checks its keys by this. Raises: SettingsError."""
    channels: list[Channel] = []
    if settings.alipay is not None:
        from wharfage.adapters.alipay import AlipayChannel

        channels.append(AlipayChannel(settings.alipay))
    if settings.wechat is not None:
        from wharfage.adapters.wechat import WechatChannel

        channels.append(WechatChannel(settings.wechat))
    if settings.stripe is not None:
        from wharfage.adapters.stripe import StripeChannel

        channels.append(StripeChannel(settings.stripe))
    return channels
