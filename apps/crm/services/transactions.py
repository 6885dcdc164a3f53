"""One transaction a call."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

from django.db import connection, transaction

from apps.storage.retry import retrying

P = ParamSpec("P")
R = TypeVar("R")


def one_transaction(use_case: Callable[P, R]) -> Callable[P, R]:
    """All that the use case does commits together; retried if it lost a deadlock.

    Within a transaction of the caller's it is a part of that, and the caller begins again.
    """

    @wraps(use_case)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        def whole() -> R:
            with transaction.atomic():
                return use_case(*args, **kwargs)

        return whole() if connection.in_atomic_block else retrying(whole)

    return call
