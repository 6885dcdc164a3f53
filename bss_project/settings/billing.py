"""How bill runs are cut up and watched over."""

from bss_project.settings import environment as env

# Numbers of the bill cycles whose workers this machine runs; none: all of them.
BILLING_CYCLES = env.words("BSS_BILLING_CYCLES")
# Accounts that one task bills in one transaction.
BILLING_CHUNK_ACCOUNTS = env.integer("BSS_BILLING_CHUNK_ACCOUNTS", 2000)
# Chunks of a run that are on their queue at a time; the next is sent when one is done.
BILLING_CHUNKS_IN_FLIGHT = env.integer("BSS_BILLING_CHUNKS_IN_FLIGHT", 8)
# A task that is not finished after so many seconds is sent again (its worker may have died); then twice as long, …
BILLING_RESEND_AFTER_S = env.integer("BSS_BILLING_RESEND_AFTER_S", 60)
# How often a chunk is begun before the run gives up on it.
BILLING_CHUNK_ATTEMPTS = env.integer("BSS_BILLING_CHUNK_ATTEMPTS", 3)
# Hours that a due cycle waits after its period has ended, for the last CDR files (late ones go on the next bill).
BILLING_GRACE_HOURS = env.integer("BSS_BILLING_GRACE_HOURS", 0)
# Activities meant for developers (PREPAID_RATING) may be queued.
BILLING_DEVELOPER_ACTIVITIES = env.boolean("BSS_BILLING_DEVELOPER_ACTIVITIES")
