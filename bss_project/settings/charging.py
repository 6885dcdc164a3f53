"""How requests are charged in real time."""

from bss_project.settings import environment as env

# Seconds for which a process trusts what it has read of numbers, price plans, policies and shared groups.
CHARGING_DIRECTORY_REFRESH_S = env.integer("BSS_CHARGING_DIRECTORY_REFRESH_S", 20)
# Threads that commit batches; SQLite has one writer with any value.
CHARGING_WRITERS = env.integer("BSS_CHARGING_WRITERS", 4)
# Requests in one transaction at most.
CHARGING_BATCH_SIZE = env.integer("BSS_CHARGING_BATCH_SIZE", 256)
# How long a request is tried again while the database does not answer, seconds.
CHARGING_PATIENCE_S = env.integer("BSS_CHARGING_PATIENCE_S", 20)
# How far back a refund over Gy may give back debits, days.
CHARGING_REFUND_WINDOW_D = env.integer("BSS_CHARGING_REFUND_WINDOW_D", 30)
# How long answers are kept for repeats, and sessions after their end, hours.
CHARGING_ANSWERS_KEPT_H = env.integer("BSS_CHARGING_ANSWERS_KEPT_H", 48)
CHARGING_SESSIONS_KEPT_H = env.integer("BSS_CHARGING_SESSIONS_KEPT_H", 24 * 400)
