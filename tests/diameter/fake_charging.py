"""A charging service for tests of the server alone: everybody has money, answers come from another thread."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from apps.charging.domain.requests import AnswerItem, ChargingAnswer, OnlineRequest, Operation, Result
from apps.charging.services.executor import Reply, Sink

Rule = Callable[[OnlineRequest], Reply]


def generous(request: OnlineRequest) -> ChargingAnswer:
    """Grant all requested units; a million octets if the server decides."""
    items = tuple(
        AnswerItem(
            item.service,
            rating_group=item.rating_group,
            service_identifier=item.service_identifier,
            type_of_record="data",
            granted=None if item.requested is None else item.requested.total_octets or 1_000_000,
            validity_s=600,
        )
        for item in request.items
    )
    enough = True if request.operation is Operation.CHECK_BALANCE else None
    return ChargingAnswer(Result.SUCCESS, items, currency="EUR", enough=enough)


class FakeCharging:
    """Keeps what it was asked. ``hold`` keeps the answers back until ``release``."""

    def __init__(self, rule: Rule = generous) -> None:
        self.rule = rule
        self.requests: list[OnlineRequest] = []
        self._pool = ThreadPoolExecutor(max_workers=1)
        self._open = threading.Event()
        self._open.set()

    def submit(self, requests: Sequence[tuple[OnlineRequest, Any]], sink: Sink[Any]) -> None:
        for request, token in requests:
            self.requests.append(request)
            self._pool.submit(self._charge, request, sink, token)

    def hold(self) -> None:
        self._open.clear()

    def release(self) -> None:
        self._open.set()

    def close(self) -> None:
        self.release()
        self._pool.shutdown()

    def _charge(self, request: OnlineRequest, sink: Sink[Any], token: Any) -> None:
        self._open.wait()
        sink.deliver([(token, self.rule(request))])
