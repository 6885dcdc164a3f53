"""What the subscribers room tells others."""

from apps.events.domain.kinds import EventKind

STATUS_CHANGED = EventKind(
    "subscribers.status_changed",
    version=1,
    subject="subscriber",
    meaning="A subscriber was suspended, reactivated or terminated.",
    fields={"subscriber_id": "Whose.", "status": "`active`, `suspended` or `terminated`, as it is now."},
)
PLAN_CHANGED = EventKind(
    "subscribers.plan_changed",
    version=1,
    subject="subscriber",
    meaning="A subscriber was given another price plan, from now on or from a later instant.",
    fields={
        "subscriber_id": "Whose.",
        "price_plan_id": "The plan.",
        "start": "From when on, ISO 8601 in UTC.",
    },
)
BUNDLE_CHANGED = EventKind(
    "subscribers.bundle_changed",
    version=1,
    subject="subscriber",
    meaning="A subscriber was given a bundle, or its end was set.",
    fields={
        "subscriber_id": "Whose.",
        "bundle_id": "The bundle.",
        "start": "From when on, ISO 8601 in UTC.",
        "end": "Until when, ISO 8601 in UTC; null = until it is ended.",
    },
)
