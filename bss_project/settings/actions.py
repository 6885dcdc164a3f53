"""Actions: calls to URLs, mails, and how often what is due is looked for."""

from bss_project.settings import environment as env
from bss_project.settings.files import VAR_DIR

# How often beat looks for action plans that are due, and for calls and mails, seconds; 0 = never.
ACTION_PLANS_TICK_S = env.integer("BSS_ACTION_PLANS_TICK_S", 10)
ACTIONS_ERRANDS_TICK_S = env.integer("BSS_ACTIONS_ERRANDS_TICK_S", 5)
# Hosts (*.partner.example: and all below) and networks that *call_url may call, split by commas; with none, any public
# address. Private networks are called only if they are listed.
ACTIONS_HOSTS = env.text("BSS_ACTIONS_HOSTS")
# The key that calls are signed with (HMAC-SHA256); unset, it is in the file, which is made at the first use.
ACTIONS_KEY = env.text("BSS_ACTIONS_KEY")
ACTIONS_KEY_FILE = env.folder("BSS_ACTIONS_KEY_FILE", str(VAR_DIR / "actions_key"))
# How long a call may take, seconds; how many are made side by side; after how many attempts one has failed for good.
ACTIONS_CALL_TIMEOUT_S = env.integer("BSS_ACTIONS_CALL_TIMEOUT_S", 10)
ACTIONS_CALLS_AT_ONCE = env.integer("BSS_ACTIONS_CALLS_AT_ONCE", 8)
ACTIONS_CALL_ATTEMPTS = env.integer("BSS_ACTIONS_CALL_ATTEMPTS", 10)
# How long calls and mails are kept that succeeded, days.
ACTIONS_ERRANDS_KEPT_DAYS = env.integer("BSS_ACTIONS_ERRANDS_KEPT_DAYS", 30)
# The mail server of *mail_async.
EMAIL_HOST = env.text("BSS_MAIL_HOST", "localhost")
EMAIL_PORT = env.integer("BSS_MAIL_PORT", 25)
EMAIL_HOST_USER = env.text("BSS_MAIL_USER")
EMAIL_HOST_PASSWORD = env.text("BSS_MAIL_PASSWORD")
EMAIL_USE_TLS = env.boolean("BSS_MAIL_STARTTLS")
EMAIL_TIMEOUT = ACTIONS_CALL_TIMEOUT_S
DEFAULT_FROM_EMAIL = env.text("BSS_MAIL_FROM", "bss@localhost")
