"""Records in the order of their start, however many there are."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from apps.mediation.services.sorted_records import SortedRecords

RECORD = st.tuples(st.integers(0, 50), st.integers(0, 1 << 40), st.text(max_size=3), st.binary(max_size=3))


@given(records=st.lists(RECORD, max_size=60), run_records=st.integers(1, 20))
def test_runs_on_disk_come_back_as_one_sorted_whole_as_often_as_asked(records: list, run_records: int):
    kept = SortedRecords(run_records)
    for record in records:
        kept.add(record)
    assert list(kept) == list(kept) == sorted(records, key=lambda record: record[0])
    assert kept.count == len(records)
    starts = [record[0] for record in records]
    assert kept.bounds() == ((min(starts), max(starts)) if starts else None)
    assert kept.spilled == (len(records) >= run_records)
    kept.close()
