"""What the re-rating room tells others."""

from apps.events.domain.kinds import EventKind

ACCOUNT_RERATED = EventKind(
    "rerating.account_rerated",
    version=1,
    subject="account",
    meaning="Records of an account got other prices by a re-rating, or their former ones back.",
    fields={
        "account_id": "Whose.",
        "job_id": "The re-rating.",
        "reversed": "1 if the records have their former prices again, else 0.",
        "records": "How many records changed.",
        "added_micros": "What they cost more (negative: less), micro-units of the account's currency.",
        "adjusted_micros": "The part that was on bills already and goes onto the next one, without taxes.",
    },
)
