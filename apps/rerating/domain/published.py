"""What the re-rating room tells others."""

from apps.events.domain.kinds import EventKind

FINISHED = EventKind(
    "rerating.finished",
    version=1,
    subject="rerating",
    meaning="A re-rating was simulated, applied or reversed for all of its accounts.",
    fields={
        "job_id": "The re-rating.",
        "state": "`simulated`, `applied` (also if some of it could not be reversed) or `reversed`.",
        "accounts": "How many accounts have records of it.",
        "left": "Accounts that failed, changed since the simulation, or could not be reversed.",
    },
)
