"""Words that stand for states and kinds in requests and answers."""

from __future__ import annotations

SUBSCRIBER_STATUS = ["active", "suspended", "terminated"]
ACCOUNT_MODE = ["prepaid", "postpaid"]
CUSTOMER_KIND = ["person", "company"]
BALANCE_KIND = ["monetary", "voice", "data", "sms", "generic"]
LEDGER_KIND = ["opening", "top_up", "usage", "fee", "adjustment", "refund", "transfer", "billed"]
LEDGER_BOOK = ["cash", "revenue", "fees", "promotion", "correction", "transfer", "receivables"]
BILL_STATUS = ["new", "unpaid", "paid", "cancelled"]
# “prepaid” is a statement, “postpaid” a bill, “credit” a credit note.
BILL_KIND = [*ACCOUNT_MODE, "credit"]
BILL_LINE_KIND = ["recurring", "usage", "one_off", "online", "discount", "tax"]
RUN_STATE = ["running", "stopped", "completed", "failed"]
NOTIFICATION_LEVEL = ["info", "warning", "error"]
RESOURCE_KIND = ["msisdn", "imsi", "handset"]
SUSPENSE_STATE = ["open", "recycled", "duplicate", "discarded"]
ALLOWANCE_ORIGIN = ["plan", "bundle"]
VOUCHER_STATUS = ["generated", "active", "blocked", "redeemed", "expired", "void"]
VOUCHER_HANDOVER = ["shown", "passphrase", "recipient"]

# µBSS numbers its activities; JSON says it in words.
ACTIVITY_TYPES = {1: "single_billing", 2: "full_billrun", 3: "prepaid_rating"}
ACTIVITY_STATUSES = {0: "pending", 99: "processing", 1: "completed", 2: "error"}
ACTIVITY_TYPE = list(ACTIVITY_TYPES.values())
ACTIVITY_STATUS = list(ACTIVITY_STATUSES.values())

# What kernel.units.unit_of gives.
TRIGGER_KIND = [
    *("below", "above", "spent", "min_balance", "max_balance", "min_event_counter", "max_event_counter"),
    *("min_balance_counter", "max_balance_counter", "balance_expired"),
]
TRIGGER_ACTION = ["notify", "reauthorise", "bar", "cap"]
USAGE_UNIT = ["seconds", "octets", "messages", "events"]
