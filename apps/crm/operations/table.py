"""The table of operations: what can be done from outside, by whom, and how. Every door is a projection of it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from apps.crm.domain.operations import Audience, Kind, Operation, operation
from apps.crm.domain.vouchers import NewVouchers
from apps.crm.operations import accounts, actions, bills, reference, subscribers, triggers, usage, vouchers

READ, CHANGE, ONCE = Kind.READ, Kind.CHANGE, Kind.ONCE
STAFF, OWN, EVERYBODY = Audience.STAFF, Audience.OWN, Audience.EVERYBODY


def _without_pins(found: NewVouchers) -> NewVouchers:
    return replace(found, vouchers=tuple(replace(one, pin="") for one in found.vouchers))


# name, kind, permission, audience, what does it (which says what it takes and gives); what a change was about.
SUBSCRIBERS = operation("subscribers.list", READ, "subscribers.list", STAFF, subscribers.find_all)
SUBSCRIBER = operation("subscribers.get", READ, "subscribers.read", OWN, subscribers.find)
CREATE_SUBSCRIBER = operation(
    "subscribers.create", CHANGE, "subscribers.create", STAFF, subscribers.create, "subscriber {found.id}"
)
MODIFY_SUBSCRIBER = operation(
    "subscribers.modify", CHANGE, "subscribers.modify", STAFF, subscribers.modify, "subscriber {found.id}"
)
SUSPEND_SUBSCRIBER = operation(
    "subscribers.suspend", CHANGE, "subscribers.suspend", STAFF, subscribers.suspend, "subscriber {found.id}"
)
REACTIVATE_SUBSCRIBER = operation(
    "subscribers.reactivate",
    CHANGE,
    "subscribers.reactivate",
    STAFF,
    subscribers.reactivate,
    "subscriber {found.id}",
)
TERMINATE_SUBSCRIBER = operation(
    "subscribers.terminate",
    CHANGE,
    "subscribers.terminate",
    STAFF,
    subscribers.terminate,
    "subscriber {found.subscriber.id}",
)
ISSUE_SELF_CARE_TOKEN = operation(
    "tokens.issue",
    CHANGE,
    "tokens.issue_self_care",
    STAFF,
    subscribers.issue_token,
    "token of subscriber {found.subscriber_id}",
    lambda found: replace(found, token=""),
)
REVOKE_SELF_CARE_TOKENS = operation(
    "tokens.revoke",
    CHANGE,
    "tokens.issue_self_care",
    STAFF,
    subscribers.revoke_tokens,
    "tokens of subscriber {found.subscriber_id}",
)
FREE_RESOURCES = operation("resources.list", READ, "resources.read", STAFF, subscribers.free_resources)
ACCOUNTS = operation("accounts.list", READ, "accounts.read", STAFF, accounts.find_all)
ACCOUNT = operation("accounts.get", READ, "accounts.read", STAFF, accounts.find)
BALANCES = operation("balances.list", READ, "balances.read", OWN, accounts.balances)
BALANCE = operation("balances.get", READ, "balances.read", STAFF, accounts.balance)
LEDGER = operation("ledger.list", READ, "balances.read", OWN, accounts.ledger)
TOP_UP = operation(
    "balances.top_up",
    CHANGE,
    "balances.topup",
    STAFF,
    accounts.top_up,
    "account {asked.account_id}",
    needs_key=True,
)
ADJUST = operation(
    "balances.adjust",
    CHANGE,
    "balances.adjust",
    STAFF,
    accounts.adjust,
    "account {asked.account_id}",
    needs_key=True,
)
USAGE_RECORDS = operation("usage.list", READ, "usage.read", OWN, usage.records)
USAGE_OF_MONTH = operation("usage.month", READ, "usage.read", OWN, usage.month)
PRICE = operation("rating.enquire", READ, "rating.enquire", OWN, usage.price)
BILLS = operation("bills.list", READ, "bills.read", OWN, bills.find_all)
BILL = operation("bills.get", READ, "bills.read", OWN, bills.find)
BILL_DOCUMENT = operation("bills.document", READ, "bills.read", OWN, bills.document)
REISSUE_BILL = operation(
    "bills.reissue", CHANGE, "bills.reformat", STAFF, bills.reissue, "bill {asked.bill_id}"
)
CANCEL_BILL = operation("bills.cancel", CHANGE, "bills.cancel", STAFF, bills.cancel, "bill {asked.bill_id}")
PAY_BILL = operation("bills.pay", CHANGE, "payments.write", STAFF, bills.pay, "bill {asked.bill_id}")
BILL_NOW = operation(
    "billing.account", CHANGE, "billing.execute", STAFF, bills.bill_now, "activity {found.id}"
)
BILL_CYCLE_NOW = operation(
    "billing.cycle", CHANGE, "billing.execute_cycle", STAFF, bills.bill_cycle_now, "activity {found.id}"
)
ACTIVITIES = operation("activities.list", READ, "activities.read", STAFF, bills.activities)
ACTIVITY = operation("activities.get", READ, "activities.read", STAFF, bills.activity)
VOUCHER_BATCHES = operation("voucher_batches.list", READ, "vouchers.read", STAFF, vouchers.batches)
VOUCHER_BATCH = operation("voucher_batches.get", READ, "vouchers.read", STAFF, vouchers.batch)
GENERATE_VOUCHERS = operation(
    "voucher_batches.create",
    CHANGE,
    "vouchers.create",
    STAFF,
    vouchers.generate,
    "voucher batch {found.batch.id}",
    _without_pins,
    needs_key=True,
)
VOUCHERS = operation("vouchers.list", READ, "vouchers.read", STAFF, vouchers.find_all)
VOUCHER = operation("vouchers.get", READ, "vouchers.read", STAFF, vouchers.find)
CHANGE_VOUCHERS = operation(
    "vouchers.change", CHANGE, "vouchers.update", STAFF, vouchers.change, "voucher {asked.target}"
)
CHANGE_VOUCHER = operation(
    "vouchers.change_one", CHANGE, "vouchers.update", STAFF, vouchers.change_one, "voucher {asked.target}"
)
REDEEM_VOUCHER = operation(
    "vouchers.redeem",
    ONCE,
    "vouchers.redeem",
    OWN,
    vouchers.redeem,
    vouchers.ABOUT_REDEMPTION,
    repeated=lambda found: found.replayed,
)
REDEMPTION_LOCK = operation("redemption_lock.get", READ, "vouchers.read", STAFF, vouchers.lock)
LIFT_REDEMPTION_LOCK = operation(
    "redemption_lock.lift", CHANGE, "vouchers.update", STAFF, vouchers.lift_lock, "account {asked.account_id}"
)
REFERENCE_DATA = operation("reference.get", READ, "reference.read", EVERYBODY, reference.everything)
PRICE_PLAN = operation("price_plans.get", READ, "reference.read", EVERYBODY, reference.price_plan)
BUNDLE = operation("bundles.get", READ, "reference.read", EVERYBODY, reference.bundle)
STATISTICS = operation("statistics.get", READ, "statistics.read", STAFF, reference.statistics)
NOTIFICATIONS = operation("notifications.list", READ, "notifications.read", STAFF, reference.notifications)
ACKNOWLEDGE_NOTIFICATION = operation(
    "notifications.acknowledge",
    CHANGE,
    "notifications.acknowledge",
    STAFF,
    reference.acknowledge,
    "notification {found.id}",
)
SUSPENSE = operation("suspense.list", READ, "suspense.read", STAFF, reference.suspended)
SUSPENDED_RECORD = operation("suspense.get", READ, "suspense.read", STAFF, reference.suspended_record)
CORRECT_SUSPENDED = operation(
    "suspense.correct",
    CHANGE,
    "suspense.write",
    STAFF,
    reference.correct,
    "suspended record {asked.record_id}",
)
RECYCLE_SUSPENDED = operation(
    "suspense.recycle", CHANGE, "suspense.write", STAFF, reference.recycle, "suspense"
)
DISCARD_SUSPENDED = operation(
    "suspense.discard", CHANGE, "suspense.write", STAFF, reference.discard, "suspense"
)
TRIGGERS = operation("triggers.list", READ, "triggers.read", STAFF, triggers.find_all)
TRIGGER = operation("triggers.get", READ, "triggers.read", STAFF, triggers.find)
CREATE_TRIGGER = operation(
    "triggers.create", CHANGE, "triggers.write", STAFF, triggers.create, "trigger {found.id}"
)
MODIFY_TRIGGER = operation(
    "triggers.modify", CHANGE, "triggers.write", STAFF, triggers.modify, "trigger {found.id}"
)
DELETE_TRIGGER = operation(
    "triggers.delete", CHANGE, "triggers.write", STAFF, triggers.delete, "trigger {found.id}"
)
RESET_TRIGGER = operation(
    "triggers.reset", CHANGE, "triggers.write", STAFF, triggers.reset, "trigger {asked.trigger_id}"
)
TRIGGER_FIRINGS = operation("triggers.firings", READ, "triggers.read", STAFF, triggers.firings)
SPENDING_CAP = operation("spending_caps.get", READ, "triggers.read", STAFF, triggers.spending_cap)
SET_SPENDING_CAP = operation(
    "spending_caps.set",
    CHANGE,
    "triggers.write",
    STAFF,
    triggers.set_spending_cap,
    "account {asked.account_id}",
)
CLEAR_SPENDING_CAP = operation(
    "spending_caps.clear",
    CHANGE,
    "triggers.write",
    STAFF,
    triggers.clear_spending_cap,
    "account {asked.account_id}",
)
SHARED_LIMITS = operation("shared_limits.list", READ, "triggers.read", STAFF, triggers.shared_limits)
SET_SHARED_LIMIT = operation(
    "shared_limits.set",
    CHANGE,
    "triggers.write",
    STAFF,
    triggers.set_shared_limit,
    "shared group {asked.group}",
)
CLEAR_SHARED_LIMIT = operation(
    "shared_limits.clear",
    CHANGE,
    "triggers.write",
    STAFF,
    triggers.clear_shared_limit,
    "shared group {asked.group}",
)
ACTION_GROUPS = operation("action_groups.list", READ, "actions.read", STAFF, actions.groups)
RUN_ACTIONS = operation(
    "actions.run",
    CHANGE,
    "actions.run",
    STAFF,
    actions.run,
    "account {asked.account_id}",
    needs_key=True,
)
ACCOUNT_PLANS = operation("account_plans.list", READ, "actions.read", STAFF, actions.plans)
ASSIGN_PLAN = operation(
    "account_plans.assign", CHANGE, "actions.run", STAFF, actions.assign, "account {asked.account_id}"
)
REMOVE_PLAN = operation(
    "account_plans.remove", CHANGE, "actions.run", STAFF, actions.remove, "account {asked.account_id}"
)
AUDIT = operation("audit.list", READ, "audit.read", STAFF, reference.calls)
OPERATIONS: dict[str, Operation[Any, Any]] = {
    found.name: found for found in globals().values() if isinstance(found, Operation)
}
