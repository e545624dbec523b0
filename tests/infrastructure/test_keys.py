"""The machine's keys: made once, kept, private, and pairs that fit."""

import stat

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from infrastructure.local.keys import KeyExposed, keys


def content(folder):
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def test_keys_are_made_once_and_kept(tmp_path):
    keys(tmp_path / "keys")
    first = content(tmp_path / "keys")

    keys(tmp_path / "keys")

    assert content(tmp_path / "keys") == first
    assert len(first) == 11


def test_two_machines_have_different_keys(tmp_path):
    one, two = keys(tmp_path / "one"), keys(tmp_path / "two")

    assert one.jwt_secret.read_bytes() != two.jwt_secret.read_bytes()
    assert one.envelope_key.read_bytes() != two.envelope_key.read_bytes()
    assert one.app_private.read_bytes() != two.app_private.read_bytes()


def test_every_file_is_readable_by_its_owner_only(tmp_path):
    keys(tmp_path / "keys")

    modes = {stat.S_IMODE(file.stat().st_mode) for file in (tmp_path / "keys").iterdir()}

    assert modes == {0o600}


def test_a_signature_of_the_private_key_fits_the_public_one(tmp_path):
    made = keys(tmp_path / "keys")
    private = serialization.load_pem_private_key(made.app_private.read_bytes(), password=None)
    public = serialization.load_pem_public_key(made.app_public.read_bytes())
    assert isinstance(private, rsa.RSAPrivateKey)
    assert isinstance(public, rsa.RSAPublicKey)

    signature = private.sign(b"amount=10.00", padding.PKCS1v15(), hashes.SHA256())

    public.verify(signature, b"amount=10.00", padding.PKCS1v15(), hashes.SHA256())


def test_the_app_and_the_sandbox_have_keys_of_their_own(tmp_path):
    made = keys(tmp_path / "keys")

    assert made.app_public.read_bytes() != made.sandbox_public.read_bytes()


def test_secrets_are_32_random_bytes(tmp_path):
    made = keys(tmp_path / "keys")

    assert len(bytes.fromhex(made.jwt_secret.read_text())) == 32
    assert len(bytes.fromhex(made.envelope_key.read_text())) == 32


def test_a_lost_public_key_is_made_again_from_the_private_one(tmp_path):
    made = keys(tmp_path / "keys")
    public = made.app_public.read_bytes()
    made.app_public.unlink()

    keys(tmp_path / "keys")

    assert made.app_public.read_bytes() == public


def test_a_key_that_others_can_read_is_refused(tmp_path):
    made = keys(tmp_path / "keys")
    made.jwt_secret.chmod(0o644)

    with pytest.raises(KeyExposed, match="jwt-secret"):
        keys(tmp_path / "keys")
