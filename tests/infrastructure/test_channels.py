"""What is said of the payment channels: which are on, by which keys, what is wrong; no secret."""

import os
from pathlib import Path

import pytest

from infrastructure.local import __main__ as commands
from infrastructure.local.channels import examined, shown
from infrastructure.local.keys import keys
from infrastructure.local.paths import Paths
from tests.fixtures.alipay import pair

ALIPAY = {
    "STAGE": "local",
    "PUBLIC_URL": "http://127.0.0.1:8080",
    "ALIPAY_APP_ID": "2021000000000000",
    "ALIPAY_SELLER_ID": "2088000000000000",
    "ALIPAY_GATEWAY": "http://127.0.0.1:9/gateway.do",
    "ALIPAY_APP_PRIVATE_KEY": pair("merchant").private_pem,
    "ALIPAY_PUBLIC_KEY": pair("alipay").public_pem,
}
WECHAT = {
    "WECHAT_APP_ID": "wx1",
    "WECHAT_MERCHANT_ID": "1900000001",
    "WECHAT_SERIAL": "5157F09EFDC096DE15EBE81A47057A7232F1B8E1",
    "WECHAT_GATEWAY": "https://api.mch.weixin.qq.com",
    "WECHAT_PRIVATE_KEY": pair("merchant").private_pem,
    "WECHAT_PUBLIC_KEY_ID": "PUB_KEY_ID_1",
    "WECHAT_PUBLIC_KEY": pair("alipay").public_pem,
    "WECHAT_V3_KEY": "k" * 31 + "!",
}
STRIPE = {
    "STRIPE_ACCOUNT_ID": "acct_1",
    "STRIPE_GATEWAY": "https://api.stripe.com",
    "STRIPE_SECRET_KEY": "sk_test_51Hsecretsecret",
    "STRIPE_WEBHOOK_SECRET": "whsec_secretsecret",
}
ALL = ALIPAY | WECHAT | STRIPE


def problems(environ: dict[str, str]) -> dict[str, tuple[str, ...]]:
    return {each.name: each.problems for each in examined(environ, resolve=str) if each.problems}


def test_channels_that_are_on_and_off_are_told_apart_and_a_good_one_has_no_problem():
    found = {each.name: each for each in examined(ALIPAY, resolve=str)}

    assert {name: each.on for name, each in found.items()} == {
        "alipay": True, "wechat": False, "stripe": False,
    }  # fmt: skip
    assert problems(ALIPAY) == {}
    text = shown([*found.values()])
    assert "alipay: on" in text
    assert "(stand-in)" in text
    assert "set WECHAT_APP_ID and the rest of its settings to turn it on" in text


def test_fingerprints_name_keys_and_tell_them_apart():
    [alipay, *_] = examined(ALIPAY, resolve=str)
    other = ALIPAY | {"ALIPAY_PUBLIC_KEY": pair("stranger").public_pem}
    [changed, *_] = examined(other, resolve=str)

    assert alipay.facts["our public key"] == changed.facts["our public key"]
    assert alipay.facts["Alipay's key"] != changed.facts["Alipay's key"]
    assert alipay.facts["Alipay's key"].startswith("SHA256:")


def test_no_secret_is_shown_of_any_channel():
    text = shown(examined(ALL, resolve=str))

    for name in ("ALIPAY_APP_PRIVATE_KEY", "WECHAT_PRIVATE_KEY"):
        for line in ALL[name].splitlines():
            assert line not in text
    for name in ("WECHAT_V3_KEY", "STRIPE_SECRET_KEY", "STRIPE_WEBHOOK_SECRET"):
        assert ALL[name] not in text
        assert ALL[name][-8:] not in text
    assert "test, SHA256:" in text


@pytest.mark.parametrize(
    ("name", "changes", "said"),
    [
        ("alipay", {"ALIPAY_PUBLIC_KEY": pair("merchant").public_pem}, "is our own"),
        ("alipay", {"ALIPAY_PUBLIC_KEY": "rubbish!"}, "neither PEM nor base64"),
        ("alipay", {"ALIPAY_APP_PRIVATE_KEY": pair("alipay").public_pem}, "It is a public key"),
        ("alipay", {"ALIPAY_SELLER_ID": ""}, "ALIPAY_SELLER_ID is not set"),
        ("alipay", {"ALIPAY_GATEWAY": "ftp://a"}, "ALIPAY_GATEWAY must be https"),
        ("alipay", {"ALIPAY_GATEWAY": "https://openapi.alipay.com/gateway.do"}, "cannot reach"),
        ("wechat", {"PUBLIC_URL": "https://a.example", "WECHAT_V3_KEY": "short"}, "32 bytes"),
        ("wechat", {"WECHAT_PUBLIC_KEY_ID": "1"}, "PUB_KEY_ID_"),
        ("stripe", {"STRIPE_SECRET_KEY": "pk_test_1"}, "begins with sk_"),
        ("stripe", {"STRIPE_WEBHOOK_SECRET": "1"}, "begins with whsec_"),
    ],
)
def test_what_is_wrong_is_said_of_its_channel(name: str, changes: dict[str, str], said: str):
    found = problems(ALL | changes)

    assert any(said in each for each in found[name]), found


def test_what_is_wrong_with_one_channel_hides_no_other():
    broken = ALL | {"ALIPAY_SELLER_ID": "", "STRIPE_SECRET_KEY": "pk"}

    found = {each.name: each.on for each in examined(broken, resolve=str)}

    assert found == {"alipay": False, "wechat": True, "stripe": True}
    assert set(problems(broken)) >= {"alipay", "stripe"}


@pytest.mark.parametrize(("mode", "good"), [(0o600, True), (0o640, False), (0o604, False)])
def test_a_key_file_that_others_can_read_is_said(tmp_path: Path, mode: int, good: bool):
    file = tmp_path / "app.pem"
    file.write_text(ALIPAY["ALIPAY_APP_PRIVATE_KEY"])
    file.chmod(mode)
    environ = ALIPAY | {"ALIPAY_APP_PRIVATE_KEY_FILE": str(file)}

    found = problems(environ)

    assert (found == {}) is good
    if not good:
        assert f"chmod 600 {file}" in found["alipay"][0]


def test_sandbox_keys_on_a_real_stage_are_said():
    real = {"STAGE": "live", "PUBLIC_URL": "https://wharfage.example"}
    sandbox = {"ALIPAY_GATEWAY": "https://openapi-sandbox.dl.alipaydev.com/gateway.do"}

    found = problems(ALL | real | sandbox)

    assert "only STAGE=local may use" in found["alipay"][0]
    assert "test key" in found["stripe"][0]


def test_the_command_looks_at_the_local_stack_or_at_this_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.delenv("STAGE", raising=False)
    monkeypatch.setenv("WHARFAGE_HOME", str(tmp_path / "home"))
    assert commands.main(["channels"]) == 0
    assert "not up yet" in capsys.readouterr().out

    keys(Paths.of(os.environ).keys)
    assert commands.main(["channels"]) == 0
    assert "alipay: on" in capsys.readouterr().out

    for name, value in (ALIPAY | {"ALIPAY_PUBLIC_KEY": "x"}).items():
        monkeypatch.setenv(name, value)
    assert commands.main(["channels"]) == 1
    assert "  ! " in capsys.readouterr().out
