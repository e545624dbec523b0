"""Settings: what is missing, weak, or made for play stops the process and is named."""

import pytest

from tests.fixtures.edge import ENVIRON
from wharfage.settings import SettingsError, read

SECRET = ENVIRON["SECRET_KEY"]
CLOUD = {
    "STAGE": "prod",
    "PUBLIC_URL": "https://api.example.com",
    "AWS_REGION": "eu-central-1",
    "SECRET_KEY": SECRET,
    "OBJECTS_BUCKET": "wharfage-prod-objects-123456789012",
    "HOST_ROLE_ARN": "arn:aws:iam::123456789012:role/host",
}
ALIPAY = {
    "ALIPAY_APP_ID": "2021000000000001",
    "ALIPAY_SELLER_ID": "2088000000000001",
    "ALIPAY_GATEWAY": "https://openapi.alipay.com/gateway.do",
    "ALIPAY_APP_PRIVATE_KEY": "private",
    "ALIPAY_PUBLIC_KEY": "public",
}


WECHAT = {
    "WECHAT_APP_ID": "wx0000000000000001",
    "WECHAT_MERCHANT_ID": "1900000001",
    "WECHAT_SERIAL": "7A7A7A7A",
    "WECHAT_PUBLIC_KEY_ID": "PUB_KEY_ID_0000000001",
    "WECHAT_GATEWAY": "https://api.mch.weixin.qq.com",
    "WECHAT_PRIVATE_KEY": "private",
    "WECHAT_PUBLIC_KEY": "public",
    "WECHAT_V3_KEY": "private",
}
STRIPE = {
    "STRIPE_ACCOUNT_ID": "acct_0000000000000001",
    "STRIPE_GATEWAY": "https://api.stripe.com",
    "STRIPE_SECRET_KEY": "sk_live_private",
    "STRIPE_WEBHOOK_SECRET": "whsec_private",
}
CHANNELS = {"alipay": ALIPAY, "wechat": WECHAT, "stripe": STRIPE}


def settings(environ, **changes):
    given = {name: value for name, value in (environ | changes).items() if value is not None}
    return read(given, resolve=lambda name: f"{name}-{SECRET}")


def test_a_local_stack_and_a_cloud_stack_can_start():
    assert settings(ENVIRON).local
    assert not settings(CLOUD | ALIPAY).local


@pytest.mark.parametrize(
    "name", ["STAGE", "PUBLIC_URL", "AWS_REGION", "SECRET_KEY", "HOST_ROLE_ARN"]
)
@pytest.mark.parametrize("value", [None, "", "  "])
def test_what_is_missing_is_named(name, value):
    with pytest.raises(SettingsError, match=name):
        settings(CLOUD, **{name: value})


@pytest.mark.parametrize(
    "secret",
    ["short", "a" * 64, "abababababababababababababababababab", "changeme-" + SECRET, SECRET[:31]],
)
def test_a_secret_that_is_none_is_refused_and_not_shown(secret):
    with pytest.raises(SettingsError, match="SECRET_KEY") as refused:
        settings(CLOUD, SECRET_KEY=secret)

    assert secret not in str(refused.value)


def test_no_secret_is_in_the_text_of_settings():
    shown = repr(settings(CLOUD | ALIPAY | WECHAT | STRIPE))

    assert SECRET not in shown
    assert "private" not in shown.replace("app_private", "")


@pytest.mark.parametrize("channel", CHANNELS)
def test_a_channel_is_off_unless_it_is_named_and_then_whole(channel):
    given = CHANNELS[channel]
    first, *rest = given

    assert getattr(settings(CLOUD | given), channel) is not None
    assert getattr(settings(CLOUD | given | {first: ""}), channel) is None
    for name in rest:
        with pytest.raises(SettingsError, match=name):
            settings(CLOUD | given, **{name: ""})


def test_a_channel_of_play_is_refused_on_aws_and_not_shown():
    with pytest.raises(SettingsError, match="STRIPE_SECRET_KEY") as refused:
        settings(CLOUD | STRIPE, STRIPE_SECRET_KEY="sk_test_private")

    assert "private" not in str(refused.value)
    assert settings(ENVIRON | STRIPE, STRIPE_SECRET_KEY="sk_test_private").stripe is not None


@pytest.mark.parametrize("channel", ["wechat", "stripe"])
def test_money_is_asked_of_the_true_gateway_unless_this_is_one_machine(channel):
    name = f"{channel.upper()}_GATEWAY"
    given = CHANNELS[channel]

    with pytest.raises(SettingsError, match="gateway"):
        settings(CLOUD | given, **{name: "https://gateway.example"})
    assert getattr(settings(ENVIRON | given, **{name: "http://127.0.0.1:9"}), channel) is not None


def test_wechat_has_the_products_that_are_named():
    assert wechat_methods() == {"qr", "app"}
    assert wechat_methods(WECHAT_METHODS="qr, jsapi,wap") == {"qr", "jsapi", "wap"}
    for wrong in ("page", "qr,QR", "h5"):
        with pytest.raises(SettingsError, match="WECHAT_METHODS"):
            wechat_methods(WECHAT_METHODS=wrong)


def wechat_methods(**changes: str) -> set[str]:
    found = settings(CLOUD | WECHAT, **changes).wechat
    assert found is not None
    return {method.value for method in found.methods}


def test_channels_are_preferred_in_the_order_that_is_given():
    assert settings(CLOUD).channel_preference == ()
    given = settings(CLOUD, CHANNEL_PREFERENCE="wechat, alipay").channel_preference
    assert given == ("wechat", "alipay")


@pytest.mark.parametrize("preference", ["wechat,wechat", "wechat,bank", "WECHAT", "alipay;stripe"])
def test_a_preference_for_what_is_not_a_channel_or_is_named_twice_is_refused(preference):
    with pytest.raises(SettingsError, match="CHANNEL_PREFERENCE"):
        settings(CLOUD, CHANNEL_PREFERENCE=preference)


def test_an_id_of_a_certificate_is_not_one_of_a_public_key():
    with pytest.raises(SettingsError, match="WECHAT_PUBLIC_KEY_ID"):
        settings(CLOUD | WECHAT, WECHAT_PUBLIC_KEY_ID="7A7A7A7A")


def test_a_secret_is_read_from_its_file_or_from_ssm(tmp_path):
    file = tmp_path / "key"
    file.write_text(SECRET + "\n")

    from_file = settings(CLOUD, SECRET_KEY=None, SECRET_KEY_FILE=str(file))
    from_ssm = settings(CLOUD, SECRET_KEY="ssm:/wharfage/key")

    assert from_file.secret == SECRET.encode()
    assert from_ssm.secret == f"/wharfage/key-{SECRET}".encode()


def test_a_file_that_is_not_there_is_named_by_its_variable(tmp_path):
    with pytest.raises(SettingsError, match="SECRET_KEY_FILE"):
        settings(CLOUD, SECRET_KEY_FILE=str(tmp_path / "none"))


@pytest.mark.parametrize(
    "changes",
    [
        {"PUBLIC_URL": "http://api.example.com"},
        {"PUBLIC_URL": "http://127.0.0.1:8080"},
        {"PUBLIC_URL": "https://127.0.0.1"},
        {"PUBLIC_URL": "api.example.com"},
        {"PUBLIC_URL": "https://user@example.com"},
        {"SQS_ENDPOINT": "http://127.0.0.1:4566"},
        {"STS_ENDPOINT": "http://127.0.0.1:4566"},
        {"DYNAMODB_ENDPOINT": "http://127.0.0.1:8000"},
        {"STORE": "embedded", "STORE_FILE": "store.sqlite3"},
        {"STORE": "memory"},
        {"STORE": "other"},
        ALIPAY | {"ALIPAY_GATEWAY": "https://openapi-sandbox.dl.alipaydev.com/gateway.do"},
        ALIPAY | {"ALIPAY_GATEWAY": "http://127.0.0.1:9000/gateway.do"},
        ALIPAY | {"ALIPAY_SELLER_ID": None},
        ALIPAY | {"ALIPAY_PUBLIC_KEY": None},
    ],
)
def test_what_is_made_for_play_or_half_made_is_refused_on_a_real_stage(changes):
    with pytest.raises(SettingsError):
        settings(CLOUD, **changes)


@pytest.mark.parametrize("url", ["http://192.0.2.1", "http://api.example.com"])
def test_even_the_local_stack_speaks_plain_http_to_this_machine_only(url):
    with pytest.raises(SettingsError, match="PUBLIC_URL"):
        settings(ENVIRON, PUBLIC_URL=url)


def test_an_embedded_store_needs_its_file():
    with pytest.raises(SettingsError, match="STORE_FILE"):
        settings(ENVIRON, STORE="embedded")


def test_keys_for_different_uses_differ():
    found = settings(CLOUD)

    assert len({found.token_key, found.cursor_key, found.secret}) == 3


def test_the_notify_address_is_ours():
    alipay = settings(CLOUD | ALIPAY).alipay

    assert alipay.notify_url == "https://api.example.com/v1/alipay/notify"


@pytest.mark.parametrize("channel", CHANNELS)
def test_a_buyer_comes_back_to_the_page_of_the_channel(channel):
    found = getattr(settings(CLOUD | CHANNELS[channel]), channel)

    assert found.return_url == f"https://api.example.com/v1/{channel}/return"


@pytest.mark.parametrize("channel", ["alipay", "wechat"])
def test_what_a_channel_may_keep_is_as_its_contract_says(channel):
    def fee(**changes: str) -> int:
        found = getattr(settings(CLOUD | CHANNELS[channel], **changes), channel)
        return int(found.fee_basis_points)

    name = f"{channel.upper()}_FEE_BASIS_POINTS"
    assert fee() == 60
    assert fee(**{name: "38"}) == 38
    for wrong in ("-1", "10001", "0.6"):
        with pytest.raises(SettingsError, match=name):
            fee(**{name: wrong})
