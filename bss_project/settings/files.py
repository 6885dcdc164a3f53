"""Folders. All are relative to BSS_VAR_DIR (default: ``var/`` in the checkout) unless given as absolute paths."""

from bss_project.settings import environment as env

VAR_DIR = env.folder("BSS_VAR_DIR", "var")
CDR_NEW_DIR = env.folder("BSS_CDR_NEW_DIR", str(VAR_DIR / "new_cdr"))
CDR_PROCESSED_DIR = env.folder("BSS_CDR_PROCESSED_DIR", str(VAR_DIR / "processed_cdr"))
CDR_ERROR_DIR = env.folder("BSS_CDR_ERROR_DIR", str(VAR_DIR / "error_cdr"))
# Templates of an operator's own, which come before the product's of the same name (invoicing/postpaid.html).
INVOICE_TEMPLATES_DIR = env.text("BSS_INVOICE_TEMPLATES_DIR")
INVOICES_DIR = env.folder("BSS_INVOICES_DIR", str(VAR_DIR / "invoices"))

# How often beat looks for new CDR files, seconds.
CDR_SCAN_INTERVAL_S = env.integer("BSS_CDR_SCAN_INTERVAL_S", 10)
# "weasyprint" (default, PDF/A) or "plutoprint" (about twenty times as fast).
PDF_ENGINE = env.text("BSS_PDF_ENGINE", "weasyprint")

STATIC_URL = "static/"
STATIC_ROOT = VAR_DIR / "static"

# Usage records older than this many days, or starting later than this many seconds from now, go into suspense.
CDR_MAX_AGE_DAYS = env.integer("BSS_CDR_MAX_AGE_DAYS", 400)
CDR_FUTURE_TOLERANCE_S = env.integer("BSS_CDR_FUTURE_TOLERANCE_S", 3600)

# Records of usage that was charged in real time are compared with its session: what is done about a difference
# (show, adjust or ignore), how near they have to begin if they do not name the session, how long after the last of
# both they are compared, and how long a record waits for a session at all, seconds.
RECONCILIATION = env.text("BSS_RECONCILIATION", "show")
RECONCILIATION_TOLERANCE_S = env.integer("BSS_RECONCILIATION_TOLERANCE_S", 30)
RECONCILIATION_QUIET_S = env.integer("BSS_RECONCILIATION_QUIET_S", 300)
RECONCILIATION_WAIT_S = env.integer("BSS_RECONCILIATION_WAIT_S", 86_400)
