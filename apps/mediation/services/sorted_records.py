"""Any number of records in the order of their start, in bounded memory: sorted runs on disk, merged when read.

By the first field alone, which takes half the time: those that share it stay in the order in which they were added.
"""

from __future__ import annotations

import marshal
import tempfile
from collections.abc import Iterator
from heapq import merge
from itertools import islice
from operator import itemgetter
from typing import IO, Any

# A run of CDRs takes some 90 MB while it is in memory.
RUN_RECORDS = 120_000
# How many records of each run are in memory while runs are merged.
BLOCK_RECORDS = 500
_FIRST = itemgetter(0)


class SortedRecords:
    """Add plain tuples in any order, then read them in theirs, as often as need be. Close it to free the disk."""

    def __init__(self, run_records: int = RUN_RECORDS) -> None:
        self._run_records = run_records
        self._current: list[tuple[Any, ...]] = []
        self._file: IO[bytes] | None = None
        # For each run the place and length of its blocks in the file.
        self._runs: list[list[tuple[int, int]]] = []
        self._bounds: list[Any] = []
        self._owns_file = True
        self.count = 0

    @classmethod
    def read_from(
        cls, file: IO[bytes], blocks: list[tuple[int, int]], count: int, bounds: tuple[Any, Any] | None
    ) -> SortedRecords:
        """What :meth:`write_to` wrote into the file, which stays the caller's."""
        records = cls()
        records._file, records._owns_file = file, False
        records._runs = [blocks] if blocks else []
        records.count, records._bounds = count, list(bounds or ())
        return records

    def write_to(self, file: IO[bytes]) -> tuple[list[tuple[int, int]], int, tuple[Any, Any] | None]:
        """Append all records, sorted, to the file; returns what :meth:`read_from` needs to find them."""
        records, blocks = iter(self), []
        while block := list(islice(records, BLOCK_RECORDS)):
            content = marshal.dumps(block)
            blocks.append((file.tell(), len(content)))
            file.write(content)
        return blocks, self.count, self.bounds()

    def close(self) -> None:
        """Free the memory and the disk."""
        if self._file is not None and self._owns_file:
            self._file.close()
            self._file = None
        self._current = []

    @property
    def spilled(self) -> bool:
        """Whether anything had to go to disk."""
        return bool(self._runs)

    def add(self, record: tuple[Any, ...]) -> None:
        self._current.append(record)
        self.count += 1
        if len(self._current) >= self._run_records:
            self._spill()

    def _spill(self) -> None:
        if self._file is None:
            self._file = tempfile.TemporaryFile(prefix="bss-records-")  # noqa: SIM115
        self._current.sort(key=_FIRST)
        self._bounds += [self._current[0][0], self._current[-1][0]]
        blocks = []
        for start in range(0, len(self._current), BLOCK_RECORDS):
            block = marshal.dumps(self._current[start : start + BLOCK_RECORDS])
            blocks.append((self._file.tell(), len(block)))
            self._file.write(block)
        self._runs.append(blocks)
        self._current = []

    def bounds(self) -> tuple[Any, Any] | None:
        """The smallest and the largest first field (the start) of all; None if there are no records."""
        firsts = [*self._bounds, *(record[0] for record in self._current)]
        return (min(firsts), max(firsts)) if firsts else None

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        self._current.sort(key=_FIRST)
        if not self._runs:
            return iter(self._current)
        if len(self._runs) == 1 and not self._current:
            return self._read_run(self._runs[0])
        return merge(*(self._read_run(blocks) for blocks in self._runs), self._current, key=_FIRST)

    def _read_run(self, blocks: list[tuple[int, int]]) -> Iterator[tuple[Any, ...]]:
        for place, length in blocks:
            assert self._file is not None
            self._file.seek(place)
            yield from marshal.loads(self._file.read(length))
