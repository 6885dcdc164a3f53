"""A file of half a million records is put in order within a fraction of the memory that it would take as a whole."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from tests.mediation.loaders import finish, start
from tests.mediation.samples import cdr, make_operator, stream

BLOCK, BLOCKS = 20_000, 25
# Half a million records take some 350 MB as tuples; a run of 100,000 some 70.
MOST_MB = 250


@pytest.mark.any_database
@pytest.mark.django_db(transaction=True)
def test_half_a_million_records_are_put_in_order_in_little_memory(database_url: str, folders: Path):
    make_operator(1)
    numbers = list(range(BLOCK))
    random.Random(1).shuffle(numbers)
    block = stream(cdr(number, session_id="0123456789abcdef") for number in numbers)
    path = folders / "large.cdr"
    with path.open("wb") as file:
        for _ in range(BLOCKS):
            file.write(block)
    status, output = finish(start(["-m", "tests.mediation.peak_memory", str(path)], database_url, folders))
    assert status == 0, output
    found = json.loads(output.splitlines()[-1])
    assert found["records"] == BLOCK * BLOCKS
    assert found["peak_mb"] < found["before_mb"] + MOST_MB, found
