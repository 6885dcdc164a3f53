"""Vouchers: the keys of the PINs' hashes, and how wrong PINs are slowed down."""

from bss_project.settings import environment as env
from bss_project.settings.files import VAR_DIR

# Keys of PIN hashes as “ID:BASE64,ID:BASE64”, the first one for new vouchers; each 32 octets or more. Unset, they are
# in the file, which is made at the first use. If they are lost, every unredeemed voucher is worthless.
VOUCHER_KEYS = env.text("BSS_VOUCHER_KEYS")
VOUCHER_KEY_FILE = env.folder("BSS_VOUCHER_KEY_FILE", str(VAR_DIR / "voucher_keys"))
# The wrong PIN that locks an account, and the one that locks a caller (a CRM, an IVR) that serves many customers.
VOUCHER_ACCOUNT_TRIES = env.integer("BSS_VOUCHER_ACCOUNT_TRIES", 10)
VOUCHER_CALLER_TRIES = env.integer("BSS_VOUCHER_CALLER_TRIES", 1000)
# The wait after the third wrong PIN of an account, seconds; each further one doubles it, to an hour.
VOUCHER_FIRST_WAIT_S = env.integer("BSS_VOUCHER_FIRST_WAIT_S", 5)
# Vouchers in one batch at most.
VOUCHER_BATCH_LIMIT = env.integer("BSS_VOUCHER_BATCH_LIMIT", 1_000_000)
