"""How usage is priced."""

from bss_project.settings import environment as env
from bss_project.settings.files import VAR_DIR

# How many rating profiles one lookup may consult: the subject's own and its fallbacks.
RATING_FALLBACK_DEPTH = env.integer("BSS_RATING_FALLBACK_DEPTH", 3)
# The git directory with a commit for each tariff version; “off” for none.
_HISTORY = env.text("BSS_TARIFF_HISTORY", str(VAR_DIR / "tariff-history.git"))
TARIFF_HISTORY_DIR = None if _HISTORY == "off" else env.BASE_DIR / _HISTORY

# How often a running process looks for a newer tariff version, seconds.
RATING_TARIFF_REFRESH_S = env.integer("BSS_RATING_TARIFF_REFRESH_S", 10)
# Whether another person than its maker publishes a tariff draft, and folders are loaded as drafts only.
RATING_MAKER_CHECKER = env.boolean("BSS_RATING_MAKER_CHECKER")
