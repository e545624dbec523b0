"""The environment, read once, checked once, frozen.

A secret NAME is given as itself, as a file path in NAME_FILE, or as `ssm:<parameter>`, which the
caller resolves. What is missing, short, a placeholder, or made for play and not for this stage
stops the process before it answers anything.
"""

import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from wharfage.domain.trade import PayMethod

LOCAL = "local"
SECRET_BYTES_MIN = 32
_SECRET_DIFFERENT_MIN = 8  #: Different characters of a secret; fewer is a placeholder.
_PLACEHOLDERS = ("changeme", "change-me", "example", "default", "password", "placeholder")
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
#: Hosts of Alipay's own sandbox; sandbox keys never meet a real stage.
_SANDBOX_DOMAIN = "alipaydev.com"

_WECHAT_METHODS = frozenset({"qr", "app", "jsapi", "wap"})
_CHANNELS = frozenset({"alipay", "wechat", "stripe"})

Resolve = Callable[[str], str]


class SettingsError(Exception):
    """The environment is not one to start with; the text names the variable, never its value."""


@dataclass(frozen=True, kw_only=True, slots=True)
class AlipaySettings:
    """What Alipay knows us by, and whom we believe."""

    app_id: str
    seller_id: str
    gateway: str
    app_private_key: str = field(repr=False)
    alipay_public_key: str
    notify_url: str
    return_url: str
    #: What the contract lets Alipay keep of a payment; a higher fee in its bill is a break.
    fee_basis_points: int = 60


@dataclass(frozen=True, kw_only=True, slots=True)
class WechatSettings:
    """What WeChat Pay knows us by, and whom we believe."""

    app_id: str
    merchant_id: str
    serial: str  #: Of the certificate that goes with our private key.
    gateway: str
    private_key: str = field(repr=False)
    public_key_id: str
    public_key: str
    v3_key: str = field(repr=False)
    notify_url: str
    return_url: str
    methods: frozenset[PayMethod]  #: Which of its products the merchant has a contract for.
    #: What the contract lets WeChat Pay keep of a payment; a higher fee in its bill is a break.
    fee_basis_points: int = 60


@dataclass(frozen=True, kw_only=True, slots=True)
class StripeSettings:
    """What Stripe knows us by, and how we know that it speaks."""

    account_id: str
    gateway: str
    secret_key: str = field(repr=False)
    webhook_secret: str = field(repr=False)
    return_url: str

    @property
    def live(self) -> bool:
        """Tell whether the money is real."""
        return "_live_" in self.secret_key


Channel = AlipaySettings | WechatSettings | StripeSettings | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """Everything a process is started with."""

    stage: str
    public_url: str  #: Where clients reach the API, without a slash at the end.
    region: str
    secret: bytes = field(repr=False)
    store: Literal["memory", "embedded", "dynamodb"]
    store_file: Path | None
    table_prefix: str
    dynamodb_endpoint: str | None
    sqs_endpoint: str | None
    sts_endpoint: str | None
    objects_bucket: str | None  #: Where files are kept on AWS.
    objects_folder: Path | None  #: Where they are kept on one machine.
    s3_endpoint: str | None
    host_role_arn: str
    pools: frozenset[str]
    registries: frozenset[str]
    agent_version_min: str
    alipay: AlipaySettings | None
    wechat: WechatSettings | None
    stripe: StripeSettings | None
    channel_preference: tuple[str, ...]  #: Which channel an order takes first, where it may choose.

    @property
    def local(self) -> bool:
        """Tell whether this is the stack of one machine."""
        return self.stage == LOCAL

    @property
    def sweeps_on(self) -> bool:
        """Tell whether one run of the sweep's schedule sweeps several times: its floor is a minute.

        The local stack runs the schedule itself, every few seconds.
        """
        return not self.local

    @property
    def token_key(self) -> bytes:
        """The key that signs access tokens."""
        return hmac.digest(self.secret, b"wharfage access tokens", "sha256")

    @property
    def cursor_key(self) -> bytes:
        """The key that signs cursors."""
        return hmac.digest(self.secret, b"wharfage cursors", "sha256")

    @property
    def object_key(self) -> bytes:
        """The key that signs links to the files of the local stack."""
        return hmac.digest(self.secret, b"wharfage objects", "sha256")

    @property
    def topup_url(self) -> str:
        """Where a customer tops up."""
        return f"{self.public_url}/#/topup"

    @property
    def queue_prefix(self) -> str:
        """What the names of this stage's queues begin with."""
        return f"wharfage-{self.stage}-"


def read(environ: Mapping[str, str], resolve: Resolve) -> Settings:
    """Read and check the environment; *resolve* fetches what is given as `ssm:<parameter>`.

    Raises: SettingsError.
    """
    source = _Source(environ, resolve)
    stage = source.required("STAGE")
    local = stage == LOCAL
    public_url = source.url("PUBLIC_URL", local=local)
    settings = Settings(
        stage=stage,
        public_url=public_url,
        region=source.required("AWS_REGION"),
        secret=source.strong_secret("SECRET_KEY"),
        store=_store(source),
        store_file=_path(source.optional("STORE_FILE")),
        table_prefix=source.optional("TABLE_PREFIX") or f"wharfage-{stage}-",
        dynamodb_endpoint=source.endpoint("DYNAMODB_ENDPOINT", local=local),
        sqs_endpoint=source.endpoint("SQS_ENDPOINT", local=local),
        sts_endpoint=source.endpoint("STS_ENDPOINT", local=local),
        objects_bucket=source.optional("OBJECTS_BUCKET"),
        objects_folder=_path(source.optional("OBJECTS_FOLDER")),
        s3_endpoint=source.endpoint("S3_ENDPOINT", local=local),
        host_role_arn=source.required("HOST_ROLE_ARN"),
        pools=source.names("POOLS") | {"default"},
        registries=source.names("REGISTRIES"),
        agent_version_min=source.optional("AGENT_VERSION_MIN") or "0.1.0",
        alipay=_alipay(source, public_url, local=local),
        wechat=_wechat(source, public_url, local=local),
        stripe=_stripe(source, public_url, local=local),
        channel_preference=_preference(source),
    )
    if settings.store == "embedded" and settings.store_file is None:
        raise SettingsError("STORE=embedded needs STORE_FILE")
    if settings.store != "dynamodb" and not local:
        raise SettingsError(f"STORE must be dynamodb unless STAGE={LOCAL}")
    if (settings.objects_bucket is None) == (settings.objects_folder is None):
        raise SettingsError("either OBJECTS_BUCKET or OBJECTS_FOLDER has to be set")
    if settings.objects_folder is not None and not local:
        raise SettingsError(f"OBJECTS_FOLDER is for STAGE={LOCAL} only")
    return settings


def channels(environ: Mapping[str, str], resolve: Resolve) -> dict[str, Channel | SettingsError]:
    """Read each channel by itself, so that what is wrong with one does not hide another.

    A channel that is off is None.
    """
    source = _Source(environ, resolve)
    local = source.optional("STAGE") == LOCAL
    found: dict[str, Channel | SettingsError] = {}
    for name, read_one in {"alipay": _alipay, "wechat": _wechat, "stripe": _stripe}.items():
        try:
            public_url = source.url("PUBLIC_URL", local=local)
            found[name] = read_one(source, public_url, local=local)
        except SettingsError as error:
            found[name] = error
    return found


@dataclass(frozen=True, slots=True)
class _Source:
    """The environment, by name."""

    environ: Mapping[str, str]
    resolve: Resolve

    def optional(self, name: str) -> str | None:
        return self.environ.get(name, "").strip() or None

    def required(self, name: str) -> str:
        value = self.optional(name)
        if value is None:
            raise SettingsError(f"{name} is not set")
        return value

    def names(self, name: str) -> frozenset[str]:
        """Read names, parted by commas."""
        return frozenset(self.ordered(name))

    def ordered(self, name: str) -> tuple[str, ...]:
        """Read names, parted by commas, in their order."""
        return tuple(filter(None, map(str.strip, (self.optional(name) or "").split(","))))

    def number(self, name: str, least: int, most: int, *, default: int) -> int:
        text = self.optional(name)
        if text is None:
            return default
        if not (text.isascii() and text.isdigit() and least <= int(text) <= most):
            raise SettingsError(f"{name} must be a whole number from {least} to {most}")
        return int(text)

    def url(self, name: str, *, local: bool) -> str:
        # Not a secret, but on AWS it is known only after the functions are made.
        value = self.secret(name).rstrip("/")
        _check_url(name, value, local=local)
        return value

    def endpoint(self, name: str, *, local: bool) -> str | None:
        value = self.optional(name)
        if value is not None:
            _check_url(name, value, local=local)
        return value

    def secret(self, name: str) -> str:
        file = self.optional(f"{name}_FILE")
        if file is None:
            value = self.required(name)
            return self.resolve(value.removeprefix("ssm:")) if value.startswith("ssm:") else value
        try:
            return Path(file).read_text().strip()
        except (OSError, UnicodeDecodeError):
            raise SettingsError(f"the file that {name}_FILE names cannot be read") from None

    def strong_secret(self, name: str) -> bytes:
        value = self.secret(name)
        if len(value.encode()) < SECRET_BYTES_MIN:
            raise SettingsError(f"{name} must have at least {SECRET_BYTES_MIN} bytes")
        lowered = value.lower()
        if len(set(value)) < _SECRET_DIFFERENT_MIN or any(map(lowered.__contains__, _PLACEHOLDERS)):
            raise SettingsError(f"{name} is a placeholder, not a secret")
        return value.encode()


def _store(source: _Source) -> Literal["memory", "embedded", "dynamodb"]:
    match source.optional("STORE") or "dynamodb":
        case "memory":
            return "memory"
        case "embedded":
            return "embedded"
        case "dynamodb":
            return "dynamodb"
        case _:
            raise SettingsError("STORE must be dynamodb, embedded or memory")


def _alipay(source: _Source, public_url: str, *, local: bool) -> AlipaySettings | None:
    app_id = source.optional("ALIPAY_APP_ID")
    if app_id is None:
        return None
    gateway = source.url("ALIPAY_GATEWAY", local=local)
    host = urlsplit(gateway).hostname or ""
    if not local and (host == _SANDBOX_DOMAIN or host.endswith("." + _SANDBOX_DOMAIN)):
        raise SettingsError(f"ALIPAY_GATEWAY is the sandbox, which only STAGE={LOCAL} may use")
    return AlipaySettings(
        app_id=app_id,
        seller_id=source.required("ALIPAY_SELLER_ID"),
        gateway=gateway,
        app_private_key=source.secret("ALIPAY_APP_PRIVATE_KEY"),
        alipay_public_key=source.secret("ALIPAY_PUBLIC_KEY"),
        notify_url=f"{public_url}/v1/alipay/notify",
        return_url=f"{public_url}/v1/alipay/return",
        fee_basis_points=source.number("ALIPAY_FEE_BASIS_POINTS", 0, 10_000, default=60),
    )


def _wechat(source: _Source, public_url: str, *, local: bool) -> WechatSettings | None:
    app_id = source.optional("WECHAT_APP_ID")
    if app_id is None:
        return None
    public_key_id = source.required("WECHAT_PUBLIC_KEY_ID")
    if not public_key_id.startswith("PUB_KEY_ID_"):
        raise SettingsError("WECHAT_PUBLIC_KEY_ID is not one: it begins with PUB_KEY_ID_")
    return WechatSettings(
        app_id=app_id,
        merchant_id=source.required("WECHAT_MERCHANT_ID"),
        serial=source.required("WECHAT_SERIAL"),
        gateway=_genuine(source.url("WECHAT_GATEWAY", local=local), "api.mch.weixin.qq.com", local),
        private_key=source.secret("WECHAT_PRIVATE_KEY"),
        public_key_id=public_key_id,
        public_key=source.secret("WECHAT_PUBLIC_KEY"),
        v3_key=source.secret("WECHAT_V3_KEY"),
        notify_url=f"{public_url}/v1/wechat/notify",
        return_url=f"{public_url}/v1/wechat/return",
        methods=_wechat_methods(source),
        fee_basis_points=source.number("WECHAT_FEE_BASIS_POINTS", 0, 10_000, default=60),
    )


def _wechat_methods(source: _Source) -> frozenset[PayMethod]:
    named = source.names("WECHAT_METHODS") or {"qr", "app"}
    if not named <= _WECHAT_METHODS:
        raise SettingsError(f"WECHAT_METHODS names {', '.join(sorted(_WECHAT_METHODS))}")
    return frozenset(map(PayMethod, named))


def _stripe(source: _Source, public_url: str, *, local: bool) -> StripeSettings | None:
    account_id = source.optional("STRIPE_ACCOUNT_ID")
    if account_id is None:
        return None
    settings = StripeSettings(
        account_id=account_id,
        gateway=_genuine(source.url("STRIPE_GATEWAY", local=local), "api.stripe.com", local),
        secret_key=source.secret("STRIPE_SECRET_KEY"),
        webhook_secret=source.secret("STRIPE_WEBHOOK_SECRET"),
        return_url=f"{public_url}/v1/stripe/return",
    )
    if not local and not settings.live:
        raise SettingsError(f"STRIPE_SECRET_KEY is a test key, which only STAGE={LOCAL} may use")
    return settings


def _preference(source: _Source) -> tuple[str, ...]:
    named = source.ordered("CHANNEL_PREFERENCE")
    if len({*named}) < len(named) or not _CHANNELS.issuperset(named):
        raise SettingsError(f"CHANNEL_PREFERENCE names {', '.join(sorted(_CHANNELS))}, each once")
    return named


def _genuine(gateway: str, host: str, local: bool) -> str:
    """Ask a channel's money of nobody else, unless this is one machine."""
    if not local and urlsplit(gateway).hostname != host:
        raise SettingsError(f"a gateway is not {host}, and only STAGE={LOCAL} may use another")
    return gateway


def _check_url(name: str, value: str, *, local: bool) -> None:
    parts = urlsplit(value)
    loopback = parts.hostname in _LOOPBACK
    if not parts.hostname or parts.query or parts.fragment or parts.username is not None:
        raise SettingsError(f"{name} is not a plain URL")
    if parts.scheme == "https" and (local or not loopback):
        return
    if not (local and loopback and parts.scheme == "http"):
        raise SettingsError(f"{name} must be https:// (http:// to loopback if STAGE={LOCAL})")


def _path(value: str | None) -> Path | None:
    return Path(value) if value else None
