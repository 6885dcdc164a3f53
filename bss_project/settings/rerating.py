"""How re-ratings are worked on, and who may apply them."""

from bss_project.settings import environment as env

# Whether another person than its maker applies a re-rating.
RERATING_MAKER_CHECKER = env.boolean("BSS_RERATING_MAKER_CHECKER")
# Messages on the queue for one job: so many workers share it.
RERATING_WORKERS = env.integer("BSS_RERATING_WORKERS", 4)
# A job that stands still for so many seconds is sent again (a worker may have died).
RERATING_RESEND_AFTER_S = env.integer("BSS_RERATING_RESEND_AFTER_S", 60)
