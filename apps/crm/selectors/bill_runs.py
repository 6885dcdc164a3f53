"""How far the bill runs of activities are."""

from __future__ import annotations

from apps.billing.models import BillRun
from apps.billing.selectors.runs import RunProgress, runs_progress


def runs_of_activity(tenant: str, activity_id: int) -> list[RunProgress]:
    """Where the runs stand that an activity of the tenant's began; none for what is no bill run."""
    found = BillRun.objects.filter(activity_id=activity_id, cycle__tenant__code=tenant)
    return runs_progress(list(found.order_by("pk").values_list("pk", flat=True)))
