"""Tests of keys as people paste them: read in every shape, refused in words, never shown."""

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.fixtures.alipay import (
    SELLER,
    channel,
    genuine,
    pair,
    posted,
    settings,
    signed,
)
from wharfage.adapters.alipay import UnusableKey


def _bare(pem: str) -> str:
    return "".join(line for line in pem.splitlines() if "-----" not in line)


def _pkcs1(name: str) -> str:
    return (
        pair(name)
        .private.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.TraditionalOpenSSL,
            serialization.NoEncryption(),
        )
        .decode()
    )


@pytest.mark.parametrize(
    "shape",
    [
        lambda pem: pem,
        lambda pem: pem.replace("\n", "\r\n"),
        lambda pem: pem.replace("\n", "\\n"),
        lambda pem: "\n  " + pem + "  \n",
        _bare,
        lambda pem: "  " + _bare(pem) + "\n",
        lambda pem: "\n".join([pem.splitlines()[0], _bare(pem), pem.splitlines()[-1]]),
    ],
    ids=["pem", "crlf", "literal", "blanks", "bare", "bare-blanks", "one-line"],
)
def test_a_key_is_read_however_it_was_pasted(shape):
    alipay = channel(
        app_private_key=shape(pair("merchant").private_pem),
        alipay_public_key=shape(pair("alipay").public_pem),
    )

    assert alipay.parse_notify(posted(signed(genuine()))).order


@pytest.mark.parametrize("shape", [lambda pem: pem, _bare])
def test_a_private_key_of_the_older_form_is_read(shape):
    assert channel(app_private_key=shape(_pkcs1("merchant"))).seller == SELLER


def test_our_own_public_key_is_refused_as_alipays():
    own = pair("merchant").public_pem

    for text in (own, _bare(own)):
        with pytest.raises(UnusableKey, match="our own"):
            channel(alipay_public_key=text)


def _elliptic(private: bool) -> str:
    key = ec.generate_private_key(ec.SECP256R1())
    if private:
        return key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ).decode()
    return (
        key.public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        .decode()
    )


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"app_private_key": ""}, "our private key is empty"),
        ({"app_private_key": "changeme!"}, "neither PEM nor base64"),
        ({"app_private_key": "AAAA"}, "not an RSA private key"),
        ({"app_private_key": "public"}, "It is a public key"),
        ({"app_private_key": "short"}, "2048 bits"),
        ({"app_private_key": "elliptic"}, "2048 bits"),
        ({"alipay_public_key": " "}, "Alipay's public key is empty"),
        ({"alipay_public_key": "密"}, "neither PEM nor base64"),
        ({"alipay_public_key": "AAAA"}, "not a public key"),
        ({"alipay_public_key": "private"}, "not a public key"),
        ({"alipay_public_key": "short"}, "2048 bits"),
        ({"alipay_public_key": "elliptic"}, "2048 bits"),
    ],
)
def test_an_unusable_key_is_refused_in_words_and_never_shown(changes, says):
    [(name, text)] = changes.items()
    private = name == "app_private_key"
    named = {
        "public": pair("alipay").public_pem,
        "private": pair("stranger").private_pem,
        "short": pair("short", 1024).private_pem if private else pair("short", 1024).public_pem,
        "elliptic": _elliptic(private),
    }
    key = named.get(text, text)

    with pytest.raises(UnusableKey) as refusal:
        channel(**{name: key})

    assert says in str(refusal.value)
    assert not any(line in str(refusal.value) for line in key.split() if len(line) > 20)
    assert refusal.value.__suppress_context__ or refusal.value.__context__ is None


def test_the_settings_never_show_the_private_key():
    assert _bare(pair("merchant").private_pem)[:40] not in repr(settings())
