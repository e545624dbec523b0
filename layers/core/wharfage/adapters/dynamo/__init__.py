"""The store on DynamoDB: pynamodb models own the tables, rows compile transactions to requests."""

import random
import time

from wharfage.adapters.dynamo.rows import DynamoRows
from wharfage.adapters.store import RecordStore


def dynamo_store(*, prefix: str, region: str, endpoint: str | None = None) -> RecordStore:
    """Open the store in tables named *prefix* and the table's own name. It connects when used."""
    rows = DynamoRows(prefix=prefix, region=region, endpoint=endpoint)
    return RecordStore(rows, pause=time.sleep, chance=random.random)
