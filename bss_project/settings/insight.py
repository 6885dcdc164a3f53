"""Statistics, and what front ends are told of the products there are."""

from bss_project.settings import environment as env

# How old reference data (services, plans, bundles, cycles) may be that a process answers with, seconds.
CRM_REFERENCE_TTL_S = env.integer("BSS_CRM_REFERENCE_TTL_S", 60)
# How often the timer adds up new records, seconds; 0 = never.
STATISTICS_TICK_S = env.integer("BSS_STATISTICS_TICK_S", 30)
# Messages on the queue for one what-if: so many workers share it.
WHATIF_WORKERS = env.integer("BSS_WHATIF_WORKERS", 4)
