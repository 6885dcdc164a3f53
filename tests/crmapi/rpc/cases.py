"""For every RPC: a call that works and its answer, one for a missing object, one that is invalid."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, NamedTuple

from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.message import Message

from apps.crmapi.grpc.pb import crm_pb2 as crm
from apps.mediation.pb import billing_pb2 as billing

# The names of the world's things: the tenant's own, or another tenant's.
Names = dict[str, Any]
LATER = int(time.time()) + 90 * 86_400
NOWHERE = 987_654_321


class Case(NamedTuple):
    """``works`` makes a request of the names and ``shows`` says whether the answer is right.

    ``missing`` asks for a missing object; if a list has nothing of the kind, its answer is empty. ``wrong``
    breaks a rule, in ``field``; its id 1 stands for an existing subscriber.
    """

    rpc: str
    works: Callable[[Names], Message]
    shows: Callable[[Names, Any], bool]
    missing: Message
    wrong: Message
    field: str
    empty: bool = False


def new_message(names: Names, **changed: Any) -> billing.Subscriber:
    fields = {
        "mode": billing.PAYMENT_MODE_PREPAID,
        "customer": billing.Customer(name="Ann Ash", email="ann@example.org"),
        "resource": billing.Resource(msisdn="+49 155 6000 0001", imsi="262019000000001"),
        "address": billing.Address(street="Elm Row 1", city="Bonn", country="DE"),
        "balance": billing.Balance(amount=12.34),
        "card": billing.Card(
            token="tok_visa_1", brand="visa", last_four="4242", expiry_month=5, expiry_year=2033
        ),
        "currency_id": 978,
        "price_plan_id": names["plan"],
    }
    return billing.Subscriber(**{**fields, **changed})


def _created(names: Names, answer: billing.Subscriber) -> bool:
    return (
        answer.id > 0
        and answer.resource.msisdn == "4915560000001"
        and answer.balance.amount_micros == 12_340_000
        and answer.card.last_four == "4242"
        and not answer.card.token
        and answer.currency_id == 978
        and answer.price_plan_id == names["plan"]
        and answer.status == billing.SUBSCRIBER_STATUS_ACTIVE
    )


def _change(names: Names) -> crm.ModifySubscriberRequest:
    return crm.ModifySubscriberRequest(
        subscriber=billing.Subscriber(
            id=names["prepaid"],
            customer=billing.Customer(name="Ben Beech"),
            address=billing.Address(city="Ulm"),
        ),
        update_mask=FieldMask(paths=["customer.name", "address.city", "card"]),
    )


def _batch(**changed: Any) -> crm.InsertVoucherRequest:
    return crm.InsertVoucherRequest(
        **{"name": "Spring", "count": 3, "amount": 5, "expires_at": LATER, **changed}
    )


CASES = (
    Case(
        "GetSubscribers",
        lambda names: crm.GetSubscribersRequest(mode=billing.PAYMENT_MODE_PREPAID, limit=2),
        lambda names, found: 0 < len(found) <= 2 and all(one.mode == 1 for one in found),
        crm.GetSubscribersRequest(city="Nowhere"),
        crm.GetSubscribersRequest(limit=-1),
        "limit",
        empty=True,
    ),
    Case(
        "GetSubscriber",
        lambda names: crm.GetSubscriberRequest(msisdn=names["msisdn"]),
        lambda names, found: found.id == names["prepaid"] and found.account_id == names["account"],
        crm.GetSubscriberRequest(id=NOWHERE),
        crm.GetSubscriberRequest(),
        "id",
    ),
    Case(
        "CreateSubscriber",
        new_message,
        _created,
        new_message({"plan": NOWHERE}),
        new_message({"plan": 0}, resource=billing.Resource(msisdn="12ab")),
        "resource.msisdn",
    ),
    Case(
        "ModifySubscriber",
        _change,
        lambda names, found: (found.customer.name, found.address.city) == ("Ben Beech", "Ulm"),
        crm.ModifySubscriberRequest(subscriber=billing.Subscriber(id=NOWHERE, name="x")),
        crm.ModifySubscriberRequest(
            subscriber=billing.Subscriber(id=1), update_mask=FieldMask(paths=["status"])
        ),
        "update_mask",
    ),
    Case(
        "SuspendSubscriber",
        lambda names: crm.SuspendSubscriberRequest(id=names["prepaid"]),
        lambda names, found: found.status == billing.SUBSCRIBER_STATUS_SUSPENDED and found.suspended_at > 0,
        crm.SuspendSubscriberRequest(msisdn="49999999999"),
        crm.SuspendSubscriberRequest(id=-3),
        "id",
    ),
    Case(
        "ReactivateSubscriber",
        lambda names: crm.ReactivateSubscriberRequest(id=names["suspended"]),
        lambda names, found: found.status == billing.SUBSCRIBER_STATUS_ACTIVE,
        crm.ReactivateSubscriberRequest(id=NOWHERE),
        crm.ReactivateSubscriberRequest(id=1, msisdn="4915"),
        "id",
    ),
    Case(
        "TerminateSubscriber",
        lambda names: crm.TerminateSubscriberRequest(id=names["prepaid"]),
        lambda names, found: (
            found.subscriber.status == billing.SUBSCRIBER_STATUS_TERMINATED
            and names["msisdn"] in " ".join(found.released)
        ),
        crm.TerminateSubscriberRequest(id=NOWHERE),
        crm.TerminateSubscriberRequest(),
        "id",
    ),
    Case(
        "GetSubscriberUsage",
        lambda names: crm.GetSubscriberUsageRequest(id=names["prepaid"]),
        lambda names, found: (
            len(found) > 1
            and all(one.subscriber_id == names["prepaid"] and one.usage > 0 for one in found)
            and [one.start for one in found] == sorted(one.start for one in found)
            and all(abs(one.cost * 1e6 - one.cost_micros) < 1 for one in found)
        ),
        crm.GetSubscriberUsageRequest(id=NOWHERE),
        crm.GetSubscriberUsageRequest(id=1, service="telex"),
        "service",
    ),
    Case(
        "GetUsageData",
        lambda names: crm.GetUsageDataRequest(id=names["prepaid"]),
        lambda names, found: found.subscriber_id == names["prepaid"] and found.currency == "EUR",
        crm.GetUsageDataRequest(id=NOWHERE),
        crm.GetUsageDataRequest(id=1, year=2026, month=13),
        "month",
    ),
    Case(
        "GetSubscriberBill",
        lambda names: crm.GetSubscriberBillRequest(bill_id=names["bill"], with_document=True),
        lambda names, found: (
            found.document.startswith(b"%PDF-")
            and found.file_name.endswith(".pdf")
            and sum(line.amount_micros for line in found.bill.lines if line.kind != "history")
            == found.bill.total_micros
        ),
        crm.GetSubscriberBillRequest(bill_id=NOWHERE),
        crm.GetSubscriberBillRequest(bill_id=1, id=1),
        "bill_id",
    ),
    Case(
        "GetSubscriberBills",
        lambda names: crm.GetSubscriberBillsRequest(id=names["prepaid"]),
        lambda names, found: (
            names["bill"] in [one.id for one in found] and not any(one.lines for one in found)
        ),
        crm.GetSubscriberBillsRequest(id=NOWHERE),
        crm.GetSubscriberBillsRequest(id=1, status=77),
        "status",
    ),
    Case(
        "ExecuteBilling",
        lambda names: crm.ExecuteBillingRequest(msisdn=names["unbilled_msisdn"]),
        lambda names, found: (found.type, found.status, found.param) == (1, 0, names["unbilled_msisdn"]),
        crm.ExecuteBillingRequest(msisdn="49999999999"),
        crm.ExecuteBillingRequest(),
        "",
    ),
    Case(
        "ExecuteBillCycle",
        lambda names: crm.ExecuteBillCycleRequest(bill_cycle=names["unbilled_cycle"]),
        lambda names, found: (found.type, found.param, found.status) == (2, str(names["unbilled_cycle"]), 0),
        crm.ExecuteBillCycleRequest(bill_cycle=12_345),
        crm.ExecuteBillCycleRequest(bill_cycle=-1),
        "bill_cycle",
    ),
    Case(
        "ReformatBill",
        lambda names: crm.ReformatBillRequest(bill_id=names["bill"], reason="the address was wrong"),
        lambda names, found: found.id == names["bill"],
        crm.ReformatBillRequest(bill_id=NOWHERE),
        crm.ReformatBillRequest(bill_id=-1),
        "bill_id",
    ),
    Case(
        "CancelBill",
        lambda names: crm.CancelBillRequest(bill_id=names["postpaid_bill"], reason="the price was wrong"),
        lambda names, found: (
            found.bill.status == billing.BILL_STATUS_CANCELLED
            and found.bill.credit_note_id == found.credit_note.id
            and (found.credit_note.kind, found.credit_note.reason) == ("credit", "the price was wrong")
            and found.credit_note.corrects_id == found.bill.id == names["postpaid_bill"]
            and found.credit_note.total_micros == -found.bill.total_micros
            and len(found.credit_note.lines) == len(found.bill.lines) > 0
            and not found.HasField("successor")
        ),
        crm.CancelBillRequest(bill_id=NOWHERE, reason="the price was wrong"),
        crm.CancelBillRequest(bill_id=-1, reason="the price was wrong"),
        "bill_id",
    ),
    Case(
        "GetStatistics",
        lambda names: crm.GetStatisticsRequest(),
        lambda names, found: bool(found.first) and found.first <= found.last,
        crm.GetStatisticsRequest(service="voice", first="2001-01-01", last="2001-01-02"),
        crm.GetStatisticsRequest(first="01.02.2026"),
        "first",
        empty=True,
    ),
    Case(
        "GetRefData",
        lambda names: crm.GetRefDataRequest(),
        lambda names, found: (
            found.tenant == "default"
            and names["plan"] in [plan.id for plan in found.price_plans]
            and {service.code for service in found.services} >= {"voice", "sms", "data"}
            and [currency.id for currency in found.currencies if currency.code == "EUR"] == [978]
        ),
        crm.GetRefDataRequest(),
        crm.GetRefDataRequest(),
        "",
        empty=True,
    ),
    Case(
        "GetAvailableResources",
        lambda names: crm.GetAvailableResourcesRequest(kind="msisdn", limit=1),
        lambda names, found: [one.value for one in found.resources] == [names["free_msisdn"]],
        crm.GetAvailableResourcesRequest(kind="handset", prefix="99"),
        crm.GetAvailableResourcesRequest(kind="fax"),
        "kind",
        empty=True,
    ),
    Case(
        "GetNotifications",
        lambda names: crm.GetNotificationsRequest(unacknowledged_only=True),
        lambda names, found: (
            names["notification"] in [one.id for one in found.notifications] and found.unacknowledged > 0
        ),
        crm.GetNotificationsRequest(after_id=NOWHERE),
        crm.GetNotificationsRequest(limit=5000),
        "limit",
        empty=True,
    ),
    Case(
        "AckNotification",
        lambda names: crm.AckNotificationRequest(id=names["notification"]),
        lambda names, found: found.acknowledged_at > 0 and "ada" in found.acknowledged_by,
        crm.AckNotificationRequest(id=NOWHERE),
        crm.AckNotificationRequest(id=-1),
        "id",
    ),
    Case(
        "SelectVouchers",
        lambda names: crm.SelectVouchersRequest(batch_id=names["batch"], limit=2),
        lambda names, found: len(found.vouchers) == 2 and found.vouchers[0].batch_id == names["batch"],
        crm.SelectVouchersRequest(batch_id=NOWHERE),
        crm.SelectVouchersRequest(status=99),
        "status",
        empty=True,
    ),
    Case(
        "SelectVoucher",
        lambda names: crm.SelectVoucherRequest(serial=names["serial"]),
        lambda names, found: found.serial == names["serial"] and found.amount_micros == 5_000_000,
        crm.SelectVoucherRequest(id=NOWHERE),
        crm.SelectVoucherRequest(),
        "id",
    ),
    Case(
        "UpdateVoucher",
        lambda names: crm.UpdateVoucherRequest(action=crm.VOUCHER_ACTION_BLOCK, serials=[names["serial"]]),
        lambda names, found: found.changed == 1,
        crm.UpdateVoucherRequest(action=crm.VOUCHER_ACTION_BLOCK, serials=["000000-0"]),
        crm.UpdateVoucherRequest(serials=["000000-0"]),
        "action",
    ),
    Case(
        "InsertVoucher",
        lambda names: _batch(),
        lambda names, found: found.batch_id > 0 and len({one.pin for one in found.vouchers}) == 3,
        _batch(bundle="NONE", bundle_days=3),
        _batch(count=50_000),
        "count",
    ),
    Case(
        "RedeemVoucher",
        lambda names: crm.RedeemVoucherRequest(pin=names["pin"], id=names["prepaid"]),
        lambda names, found: (
            (found.account_id, found.amount_micros, found.repeated) == (names["account"], 5_000_000, False)
        ),
        crm.RedeemVoucherRequest(pin="1234567812345678", account_id=NOWHERE),
        crm.RedeemVoucherRequest(pin="12", id=1),
        "",
    ),
    Case(
        "GetTriggers",
        lambda names: crm.GetTriggersRequest(),
        lambda names, found: names["trigger"] in [one.id for one in found.triggers],
        crm.GetTriggersRequest(account_id=NOWHERE),
        crm.GetTriggersRequest(limit=5_000),
        "limit",
        empty=True,
    ),
    Case(
        "CreateTrigger",
        lambda names: crm.Trigger(
            name="Low",
            kind="below",
            threshold_micros=5_000_000,
            account_id=names["account"],
            action="reauthorise",
        ),
        lambda names, found: (
            (found.name, found.currency, found.balance_tag, found.disabled)
            == ("Low", "EUR", "*default", False)
        ),
        crm.Trigger(name="Low", kind="below", threshold_micros=1, price_plan="NONE"),
        crm.Trigger(name="Fast", kind="spent", threshold_micros=1),
        "window_s",
    ),
    Case(
        "ModifyTrigger",
        lambda names: crm.ModifyTriggerRequest(
            trigger=crm.Trigger(id=names["trigger"], disabled=True, quiet=True, threshold_micros=9),
            update_mask=FieldMask(paths=["disabled", "quiet"]),
        ),
        lambda names, found: (
            (found.disabled, found.quiet, found.threshold_micros == 9) == (True, True, False)
        ),
        crm.ModifyTriggerRequest(trigger=crm.Trigger(id=NOWHERE), update_mask=FieldMask(paths=["name"])),
        crm.ModifyTriggerRequest(trigger=crm.Trigger(id=1), update_mask=FieldMask(paths=["account_id"])),
        "update_mask",
    ),
    Case(
        "DeleteTrigger",
        lambda names: crm.DeleteTriggerRequest(id=names["unfired"]),
        lambda names, found: found.id == names["unfired"],
        crm.DeleteTriggerRequest(id=NOWHERE),
        crm.DeleteTriggerRequest(id=-1),
        "id",
    ),
    Case(
        "ResetTrigger",
        lambda names: crm.ResetTriggerRequest(id=names["unfired"], account_id=names["account"]),
        lambda names, found: found.accounts == 0,
        crm.ResetTriggerRequest(id=NOWHERE),
        crm.ResetTriggerRequest(id=-1),
        "id",
    ),
    Case(
        "GetTriggerFirings",
        lambda names: crm.GetTriggerFiringsRequest(trigger_id=names["trigger"]),
        lambda names, found: {one.trigger_id for one in found.firings} == {names["trigger"]},
        crm.GetTriggerFiringsRequest(account_id=NOWHERE),
        crm.GetTriggerFiringsRequest(limit=5_000),
        "limit",
        empty=True,
    ),
    Case(
        "GetActionGroups",
        lambda names: crm.GetActionGroupsRequest(),
        lambda names, found: ["*topup 10"] in [list(one.actions) for one in found.groups],
        crm.GetActionGroupsRequest(after_id=NOWHERE),
        crm.GetActionGroupsRequest(limit=5_000),
        "limit",
        empty=True,
    ),
    Case(
        "ExecuteActions",
        lambda names: crm.ExecuteActionsRequest(account_id=names["account"], group="MONTHLY_BONUS"),
        lambda names, found: (found.account_id, found.group) == (names["account"], "MONTHLY_BONUS"),
        crm.ExecuteActionsRequest(account_id=NOWHERE, group="MONTHLY_BONUS"),
        crm.ExecuteActionsRequest(account_id=-1),
        "account_id",
    ),
    Case(
        "GetAccountPlans",
        lambda names: crm.GetAccountPlansRequest(account_id=names["account"]),
        lambda names, found: (
            [(one.plan, len(one.due), one.due[0].due_at) for one in found.plans]
            == [("WELCOME", 2, 0), ("LOYALTY", 2, 0)]
        ),
        crm.GetAccountPlansRequest(account_id=NOWHERE),
        crm.GetAccountPlansRequest(account_id=-1),
        "account_id",
    ),
    Case(
        "SetSpendingCap",
        lambda names: crm.SetSpendingCapRequest(account_id=names["account"], limit_micros=50_000_000),
        lambda names, found: (found.account_id, found.limit_micros) == (names["account"], 50_000_000),
        crm.SetSpendingCapRequest(account_id=NOWHERE, limit_micros=50_000_000),
        crm.SetSpendingCapRequest(account_id=-1),
        "account_id",
    ),
    Case(
        "GetSpendingCap",
        lambda names: crm.GetSpendingCapRequest(account_id=names["account"]),
        lambda names, found: (found.account_id, found.currency) == (names["account"], "EUR"),
        crm.GetSpendingCapRequest(account_id=NOWHERE),
        crm.GetSpendingCapRequest(account_id=-1),
        "account_id",
    ),
    Case(
        "ClearSpendingCap",
        lambda names: crm.ClearSpendingCapRequest(account_id=names["account"]),
        lambda names, found: not found.is_barred and not found.is_warned,
        crm.ClearSpendingCapRequest(account_id=NOWHERE),
        crm.ClearSpendingCapRequest(account_id=-1),
        "account_id",
    ),
    Case(
        "GetSharedLimits",
        lambda names: crm.GetSharedLimitsRequest(group="FAMILY"),
        lambda names, found: (
            [(one.account_id, one.limit) for one in found.limits] == [(names["account"], 60)]
        ),
        crm.GetSharedLimitsRequest(group="NONE"),
        crm.GetSharedLimitsRequest(),
        "group",
    ),
    Case(
        "SetSharedLimit",
        lambda names: crm.SharedLimit(group="FAMILY", kind="monetary", limit=5_000_000),
        lambda names, found: (found.kind, found.limit, found.account_id) == ("monetary", 5_000_000, 0),
        crm.SharedLimit(group="NONE", kind="voice", limit=60),
        crm.SharedLimit(group="FAMILY", kind="gold"),
        "kind",
    ),
    Case(
        "ClearSharedLimit",
        lambda names: crm.ClearSharedLimitRequest(group="FAMILY", account_id=names["account"], kind="voice"),
        lambda names, found: found.limit == 60,
        crm.ClearSharedLimitRequest(group="FAMILY", kind="sms"),
        crm.ClearSharedLimitRequest(group="FAMILY", account_id=-1),
        "account_id",
    ),
    Case(
        "AssignPlan",
        lambda names: crm.AccountPlanRequest(account_id=names["account"], plan="WELCOME"),
        lambda names, found: (found.plan, len(found.due)) == ("WELCOME", 2),
        crm.AccountPlanRequest(account_id=NOWHERE, plan="WELCOME"),
        crm.AccountPlanRequest(account_id=-1),
        "account_id",
    ),
    Case(
        "RemovePlan",
        lambda names: crm.AccountPlanRequest(account_id=names["account"], plan="WELCOME"),
        lambda names, found: found.due[0].done_count == 1,
        crm.AccountPlanRequest(account_id=NOWHERE, plan="WELCOME"),
        crm.AccountPlanRequest(account_id=-1),
        "account_id",
    ),
    Case(
        "AddSubscriber",
        new_message,
        lambda names, found: found.status == crm.ACK_OK and found.id > 0,
        new_message({"plan": NOWHERE}),
        new_message({"plan": 0}, balance=billing.Balance(amount=1, amount_micros=2)),
        "balance.amount",
    ),
    Case(
        "UpdateSubscriber",
        lambda names: billing.Subscriber(
            customer=billing.Customer(name="Cem"), resource=billing.Resource(msisdn=names["msisdn"])
        ),
        lambda names, found: found.status == crm.ACK_OK and found.id == names["prepaid"],
        billing.Subscriber(id=NOWHERE, name="x"),
        billing.Subscriber(name="x"),
        "id",
    ),
    Case(
        "GenerateBill",
        lambda names: crm.ExecuteBillingRequest(msisdn=names["unbilled_msisdn"]),
        lambda names, found: found.status == crm.ACK_OK and found.id > 0,
        crm.ExecuteBillingRequest(id=NOWHERE),
        crm.ExecuteBillingRequest(id=1, month=14, year=2026),
        "month",
    ),
    Case(
        "TopUpVoucher",
        lambda names: crm.RedeemVoucherRequest(pin=names["own_pin"], msisdn=names["msisdn"]),
        lambda names, found: found.status == crm.ACK_OK and found.id == names["account"],
        crm.RedeemVoucherRequest(pin="1234567812345678", msisdn="49999999999"),
        crm.RedeemVoucherRequest(pin="", id=1, account_id=1),
        "account_id",
    ),
)
