"""A process of its own that charges a few accounts as fast as it can and writes down every answer that it got.

``python -m tests.charging.hammer setup`` makes the subscribers; ``… run NAME COUNT LOG`` sends COUNT requests whose
identities follow from NAME, so that a second run of the same NAME repeats them.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

ACCOUNTS = 3
OPENING_MICROS = 30_000_000
SMS_MICROS = 50_000


def setup(balance_micros: int = OPENING_MICROS) -> None:
    from tests.charging.stored import make_prepaid

    for number in range(1, ACCOUNTS + 1):
        make_prepaid(number, balance_micros=balance_micros)


def run(name: str, count: int, log: Path) -> None:
    """Sessions of four requests and SMS, taking turns; a line an answer: identity, result, cost, replayed."""
    from apps.charging.services.executor import BatchExecutor
    from tests.charging.stored import submit

    with log.open("a", buffering=1) as lines, BatchExecutor() as executor:
        waiting = []
        for number in range(count):
            request = request_of(name, number)
            waiting.append((request, submit(executor, request)))
            if len(waiting) >= 64:
                _note(lines, *waiting.pop(0))
        for request, future in waiting:
            _note(lines, request, future)


def request_of(name: str, number: int):  # type: ignore[no-untyped-def]
    """The request number ``number`` of the run ``name``, always the same."""
    from apps.charging.domain.requests import OnlineRequest, Operation
    from apps.kernel.clock import utc_now
    from tests.charging.online import MIB, item
    from tests.charging.stored import msisdn

    round_, step = divmod(number, 5)
    of = msisdn(round_ % ACCOUNTS + 1)
    if step == 4:
        return OnlineRequest(
            Operation.EVENT, f"{name};sms;{round_}", 0, utc_now(), of, items=(item("sms", 1),)
        )
    operation, items = (
        (Operation.INITIATE, item("data", 3 * MIB)),
        (Operation.UPDATE, item("data", 3 * MIB, 2 * MIB)),
        (Operation.UPDATE, item("data", 3 * MIB, 3 * MIB)),
        (Operation.TERMINATE, item("data", None, 1 * MIB)),
    )[step]
    return OnlineRequest(operation, f"{name};data;{round_}", step, utc_now(), of, items=(items,))


def _note(lines, request, future) -> None:  # type: ignore[no-untyped-def]
    answer = future.result()
    lines.write(
        f"{request.session_id} {request.number} {answer.result} {answer.cost_micros} {int(answer.replayed)}\n"
    )


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "bss_project.settings")
    import django

    django.setup()
    if sys.argv[1] == "setup":
        setup()
    else:
        run(sys.argv[2], int(sys.argv[3]), Path(sys.argv[4]))
