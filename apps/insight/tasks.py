"""What beat and workers do here: count new rows, go on with what-ifs."""

from __future__ import annotations

from apps.insight.services import what_if
from apps.insight.services.collecting import collect_statistics as collect
from apps.kernel.clock import utc_now
from apps.runtime.tasks import shared_task


@shared_task
def collect_statistics() -> tuple[int, int, int]:
    """Add up what came in since the last tick; two at once count nothing twice."""
    return collect(utc_now())


PORTION_S = 5.0
"""So long a message is worked on before its worker takes other messages of the queue."""


@shared_task
def work_on_what_if(what_if_id: int) -> None:
    """Go on with a what-if, and send it on if there is more to do."""
    if what_if.work(what_if_id, utc_now, PORTION_S):
        what_if.send_again(what_if_id)


@shared_task
def continue_what_ifs() -> int:
    """Beat: send what-ifs again that stand still."""
    return what_if.continue_what_ifs(utc_now())
