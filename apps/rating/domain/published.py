"""What the rating room tells others."""

from apps.events.domain.kinds import EventKind

TARIFF_PUBLISHED = EventKind(
    "rating.tariff_published",
    version=1,
    subject="tariff",
    meaning="A new version of the tariff was published; every process prices by it within RATING_TARIFF_REFRESH_S.",
    fields={
        "version_id": "The version; higher ones are newer.",
        "prices_changed": "1, or 0 if only terms beside prices differ: fees, free units, what is on sale.",
    },
)
TARIFF_DRAFT_HELD = EventKind(
    "rating.draft_held",
    version=1,
    subject="draft",
    meaning="A tariff draft was due and did not go live by itself: a person has to look at it.",
    fields={"draft_id": "The draft.", "reason": "Why, as a sentence."},
)
