"""Requests by the thousand, drawn from the OpenAPI document: none breaks anything.

WHARFAGE_FUZZ=20000 WHARFAGE_FUZZ_SEED=7 pytest tests/functions/test_fuzz.py
"""

import json
import os
from collections import Counter

import pytest

from tests.fixtures.fuzzing import Fuzzer
from tests.fixtures.port import ROUTES, Port
from wharfage.web import documents

REQUESTS = int(os.environ.get("WHARFAGE_FUZZ", "8000"))
SEED = int(os.environ.get("WHARFAGE_FUZZ_SEED", "1"))
PARTS = 8  #: Each with a seed of its own, so that processes can share them.
LIFE = 40  #: Requests until everything is put back: most routes need a world in which they work.


@pytest.mark.parametrize("part", range(PARTS))
def test_no_request_breaks_anything_or_gets_an_answer_that_is_not_documented(
    port: Port, part: int
) -> None:
    fuzzer = Fuzzer(json.loads(documents.openapi()), port, seed=SEED * PARTS + part)
    answered: Counter[str] = Counter()
    succeeded: Counter[str] = Counter()

    for number in range(REQUESTS // PARTS):
        if number % LIFE == 0:
            port.harbour.check()
            port.put_back()
        request = fuzzer.draw()
        answer = fuzzer.send(request)
        complaint = fuzzer.complaint(request, answer)
        assert complaint is None, f"{complaint} (seed {SEED}, part {part}, {number}: {request})"
        answered[request.name] += 1
        succeeded[request.name] += answer.status < 400

    port.harbour.check()
    assert answered.keys() == ROUTES.keys()
    assert sum(succeeded.values()) > REQUESTS // PARTS // 10, "nearly all of it was refused"
