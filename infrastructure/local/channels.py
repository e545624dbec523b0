"""The payment channels that settings turn on: towards whom, by which keys, and what is wrong."""

import hashlib
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from wharfage.adapters import rsa_keys
from wharfage.adapters.alipay import AlipayChannel
from wharfage.adapters.stripe import StripeChannel
from wharfage.adapters.wechat import WechatChannel
from wharfage.settings import (
    AlipaySettings,
    Channel,
    Resolve,
    SettingsError,
    StripeSettings,
    WechatSettings,
    channels,
)

_LOOPBACK = {"127.0.0.1", "localhost", "::1"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Examined:
    """One channel: whether it is on, what may be shown of its settings, what is to be mended."""

    name: str
    on: bool
    facts: Mapping[str, str] = field(default_factory=dict)
    problems: tuple[str, ...] = ()


def examined(environ: Mapping[str, str], resolve: Resolve) -> list[Examined]:
    """Look at every channel of an environment; no secret is in what comes back."""
    found = []
    for name, settings in channels(environ, resolve).items():
        exposed = _exposed(environ, name)
        if settings is None:
            found.append(Examined(name=name, on=False))
        elif isinstance(settings, SettingsError):
            problem = f"{settings}. Mend it, or unset {_switch(name)} to turn the channel off."
            found.append(Examined(name=name, on=False, problems=(problem, *exposed)))
        else:
            problems = (*_unusable(settings), *_unreachable(settings), *exposed)
            facts = _facts(settings)
            found.append(Examined(name=name, on=True, facts=facts, problems=problems))
    return found


def shown(found: list[Examined]) -> str:
    """Write what was found, for people."""
    lines = []
    for each in found:
        state = "on" if each.on else "wrong" if each.problems else "off"
        lines.append(f"{each.name}: {state}")
        lines += [f"  {name.ljust(18)}  {value}" for name, value in each.facts.items()]
        lines += [f"  ! {problem}" for problem in each.problems]
        if state == "off":
            lines.append(f"  set {_switch(each.name)} and the rest of its settings to turn it on")
    return "\n".join(lines)


def _facts(settings: Channel) -> dict[str, str]:
    match settings:
        case AlipaySettings():
            return {
                "app": settings.app_id,
                "seller": settings.seller_id,
                "gateway": f"{settings.gateway} ({_kind(settings.gateway)})",
                "notify address": settings.notify_url,
                "our public key": _ours(settings.app_private_key),
                "Alipay's key": _theirs(settings.app_private_key, settings.alipay_public_key),
            }
        case WechatSettings():
            return {
                "app": settings.app_id,
                "merchant": settings.merchant_id,
                "gateway": f"{settings.gateway} ({_kind(settings.gateway)})",
                "notify address": settings.notify_url,
                "our certificate": settings.serial,
                "our public key": _ours(settings.private_key),
                "WeChat Pay's key": settings.public_key_id,
                "  fingerprint": _theirs(settings.private_key, settings.public_key),
                "APIv3 key": _of_secret(settings.v3_key),
            }
        case StripeSettings():
            return {
                "account": settings.account_id,
                "gateway": f"{settings.gateway} ({_kind(settings.gateway)})",
                "secret key": f"{'live' if settings.live else 'test'}, "
                + _of_secret(settings.secret_key),
                "webhook secret": _of_secret(settings.webhook_secret),
            }
        case None:
            return {}


def _unusable(settings: Channel) -> tuple[str, ...]:
    """Make the channel, which checks its keys; say what is wrong with them."""
    try:
        match settings:
            case AlipaySettings():
                AlipayChannel(settings)
            case WechatSettings():
                WechatChannel(settings)
            case StripeSettings():
                StripeChannel(settings)
    except SettingsError as error:
        return (str(error),)
    return ()


def _unreachable(settings: Channel) -> tuple[str, ...]:
    notify_url = getattr(settings, "notify_url", None)
    real = _kind(getattr(settings, "gateway", "")) != "stand-in"
    if notify_url and real and urlsplit(notify_url).hostname in _LOOPBACK:
        problem = f"The channel cannot reach {notify_url}: set PUBLIC_URL to an address it can."
        return (problem,)
    return ()


def _exposed(environ: Mapping[str, str], name: str) -> tuple[str, ...]:
    """Name files with our secrets that others on this machine can read."""
    problems = []
    for variable, file in environ.items():
        secret = variable.startswith(name.upper()) and variable.endswith("_FILE")
        if not secret or "PUBLIC" in variable or not Path(file).is_file():
            continue
        if stat.S_IMODE(Path(file).stat().st_mode) & 0o077:
            problems.append(f"Others can read the file of {variable}: chmod 600 {file}")
    return tuple(problems)


def _kind(gateway: str) -> str:
    host = urlsplit(gateway).hostname or ""
    if host in _LOOPBACK:
        return "stand-in"
    return "the channel's sandbox" if "sandbox" in host or "dev" in host else "production"


def _ours(private_key: str) -> str:
    try:
        return rsa_keys.fingerprint(rsa_keys.private_key(private_key).public_key())
    except SettingsError:
        return "unusable"


def _theirs(private_key: str, public_key: str) -> str:
    try:
        ours = rsa_keys.private_key(private_key)
        return rsa_keys.fingerprint(rsa_keys.public_key(public_key, ours, whose="the channel"))
    except SettingsError:
        return "unusable"


def _of_secret(text: str) -> str:
    """Name a random secret by four bytes of its digest: enough to tell two apart."""
    return "SHA256:" + hashlib.sha256(text.encode()).digest()[:4].hex(":")


def _switch(name: str) -> str:
    return "STRIPE_ACCOUNT_ID" if name == "stripe" else f"{name.upper()}_APP_ID"
