"""The embedded store loses what has expired, and nothing else."""

from datetime import timedelta
from pathlib import Path

from infrastructure.local.housekeeping import tidy
from tests.fixtures.money import ALICE, START, put_balance
from wharfage import schema
from wharfage.adapters.store import RecordStore
from wharfage.domain.rate import Rate
from wharfage.operations import rates


def test_an_expired_rate_window_is_deleted_and_money_stays(
    tmp_path: Path, store_in_file: RecordStore
) -> None:
    path, store = tmp_path / "store.db", store_in_file
    store.commit(put_balance(ALICE))
    store.commit(rates.count(Rate(action="act", limit=1, seconds=60), "who", now=START))

    early = tidy(path, START)
    late = tidy(path, START + timedelta(minutes=2))

    assert (early, late) == (0, 1)
    assert store.get(schema.BALANCE.key(account=ALICE.account)) is not None
