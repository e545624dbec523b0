"""Wiring: settings choose the adapters, and nothing is opened before it is used."""

import subprocess
import sys
from dataclasses import replace

import pytest

from tests.fixtures import alipay, stripe, wechat
from tests.fixtures.edge import settings
from tests.fixtures.stores import used
from wharfage import schema, wiring
from wharfage.adapters.breakers import Guarded
from wharfage.adapters.store import RecordStore
from wharfage.domain.balance import Balance
from wharfage.settings import Settings, SettingsError
from wharfage.transaction import Put, absent


def test_a_store_in_a_file_keeps_what_another_start_reads(tmp_path):
    chosen = settings(STORE="embedded", STORE_FILE=str(tmp_path / "store.sqlite3"))

    balance = Balance(account="acc", available=1)

    with used(store_of(chosen)) as store:
        store.commit(Put(balance, when=[absent()]))

    with used(store_of(chosen)) as store:
        assert store.get(schema.BALANCE.key(account="acc")) == balance


def store_of(chosen: Settings) -> RecordStore:
    store = wiring.ports_from(chosen).store
    assert isinstance(store, RecordStore)
    return store


def test_ports_over_dynamodb_are_made_without_a_connection():
    chosen = settings(STORE="dynamodb", DYNAMODB_ENDPOINT="http://127.0.0.1:9")

    assert isinstance(wiring.ports_from(chosen).store, RecordStore)


@pytest.mark.parametrize(
    ("preference", "order"),
    [
        ((), ["alipay", "wechat", "stripe"]),
        (("stripe",), ["stripe", "alipay", "wechat"]),
        (("wechat", "stripe", "alipay"), ["wechat", "stripe", "alipay"]),
    ],
)
def test_channels_stand_in_the_order_of_preference_each_behind_its_breaker(preference, order):
    chosen = replace(
        settings(),
        alipay=alipay.settings(),
        wechat=wechat.settings(),
        stripe=stripe.settings(),
        channel_preference=preference,
    )

    ports = wiring.ports_from(chosen)

    assert list(ports.channels) == order
    assert [ports.breakers.rest_seconds(name) for name in order] == [0, 0, 0]
    assert all(isinstance(each, Guarded) for each in ports.channels.values())


def test_the_price_list_is_whole():
    prices = wiring.prices()

    assert prices.version
    assert (prices.vcpu_hour_fen > 0, prices.gb_hour_fen > 0) == (True, True)


def test_the_local_stack_serves_agents_of_this_machine_only():
    assert wiring.ports_from(settings()).terms.remote_hosts is False


def test_a_process_without_settings_refuses_to_start(monkeypatch):
    monkeypatch.delenv("STAGE", raising=False)
    monkeypatch.setattr(wiring, "_shared", None)

    with pytest.raises(SettingsError, match="STAGE"):
        wiring.shared()


@pytest.mark.parametrize(
    "heavy", ["boto3", "botocore.client", "pynamodb", "alipay", "argon2", "jwt"]
)
def test_importing_a_function_does_not_import_what_may_not_be_needed(heavy):
    program = f"import sys, functions.jobs.app; sys.exit({heavy!r} in sys.modules)"

    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
