"""How bills become documents."""

from bss_project.settings import environment as env

# Documents that are rendered between two commits.
INVOICE_BATCH = env.integer("BSS_INVOICE_BATCH", 10)
# Seconds for which a batch is one process's own; a dead process of the same host is found at once.
INVOICE_CLAIM_S = env.integer("BSS_INVOICE_CLAIM_S", 120)
# Seconds after which a task gives its worker back, to begin again behind other tasks on the queue.
INVOICE_TASK_S = env.integer("BSS_INVOICE_TASK_S", 20)
# Tasks that a tick of beat sends at most: as many workers can render side by side.
INVOICE_FAN_OUT = env.integer("BSS_INVOICE_FAN_OUT", 8)
# Calls, messages and sessions that a bill lists one by one; further ones are in its totals (a page holds about 80).
INVOICE_ITEMISED_RECORDS = env.integer("BSS_INVOICE_ITEMISED_RECORDS", 5_000)
