"""The outbox."""

from bss_project.settings import environment as env

# How long events are kept that all consumers have handled, days: so far back they can be looked at and replayed.
EVENTS_KEPT_DAYS = env.integer("BSS_EVENTS_KEPT_DAYS", 3)
