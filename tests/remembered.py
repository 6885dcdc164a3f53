"""Rows that many tests begin with: made by the product's services once, and then put there as they were."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Hashable
from typing import Any, TypeVar

from tests.fixtures.migrated_database import Cleaner

Made = TypeVar("Made")
# What was made “now” is used as long as it may pass for that.
LONGEST_S = 60.0
_kept: dict[Hashable, tuple[float, dict[str, list[tuple[Any, ...]]], Any]] = {}


def remembered(name: Hashable, make: Callable[[], Made]) -> Made:
    """What ``make()`` gives, and the rows that it writes: at the first time by making them, then from memory.

    Only what it writes into an empty database is remembered; files, and what the process keeps in mind, are not.
    """
    cleaner = Cleaner.current
    if cleaner is None or cleaner.changed():
        return make()
    made_at, content, made = _kept.get(name, (0.0, {}, None))
    if not content or time.monotonic() - made_at > LONGEST_S:
        made_at, made = time.monotonic(), make()
        content = {table: cleaner.rows(table) for table in cleaner.changed()}
        _kept[name] = made_at, content, copy.deepcopy(made)
        return made
    cleaner.replace(content)
    return copy.deepcopy(made)
