"""Replies on their way from the charging threads into the event loop."""

from __future__ import annotations

import asyncio

from structlog.testing import capture_logs

from apps.charging.domain.requests import ChargingAnswer, Result
from apps.charging.services.executor import Reply
from apps.diameter.worker.charging_link import ChargingLink
from tests.diameter.fake_charging import FakeCharging

ANSWER = ChargingAnswer(Result.SUCCESS)


def test_a_batch_that_is_committed_after_the_server_has_ended_is_a_line_in_the_log_and_no_fault() -> None:
    given: list[Reply] = []
    charging = FakeCharging()
    loop = asyncio.new_event_loop()
    link = ChargingLink(charging, loop)
    link.deliver([(given.append, ANSWER)])
    loop.run_until_complete(asyncio.sleep(0))
    loop.close()
    with capture_logs() as logged:
        link.deliver([(given.append, ANSWER), (given.append, ANSWER)])
    charging.close()
    assert given == [ANSWER]
    assert [(line["event"], line["requests"]) for line in logged] == [("diameter.answered_after_the_end", 2)]
