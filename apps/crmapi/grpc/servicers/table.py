"""Every RPC of billing.CRMService: its operation, and how messages become plain values and back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from apps.crm.domain.operations import Operation
from apps.crm.operations import table as does
from apps.crmapi.grpc.pb import crm_pb2
from apps.crmapi.grpc.servicers import actions, bills, reference, subscribers, triggers, usage, vouchers
from apps.crmapi.grpc.servicers.rpc import Rpc
from apps.crmapi.grpc.servicers.subscriber_changes import PLACES
from apps.crmapi.grpc.servicers.subscriber_messages import new_subscriber, subscriber_message

SERVICE = "billing.CRMService"
_METHODS = crm_pb2.DESCRIPTOR.services_by_name["CRMService"].methods_by_name


def _rpc(
    name: str,
    operation: Operation[Any, Any],
    read: Callable[[Any], Any],
    write: Callable[[Any], Message],
    places: Mapping[str, str] = {},
) -> Rpc:
    return Rpc(name, operation, GetMessageClass(_METHODS[name].input_type), read, write, places)


RPCS: tuple[Rpc, ...] = (
    _rpc("GetSubscribers", does.SUBSCRIBERS, subscribers.filtered, subscriber_message),
    _rpc("GetSubscriber", does.SUBSCRIBER, subscribers.named, subscriber_message),
    _rpc("CreateSubscriber", does.CREATE_SUBSCRIBER, new_subscriber, subscriber_message, PLACES),
    _rpc("ModifySubscriber", does.MODIFY_SUBSCRIBER, subscribers.changed, subscriber_message, PLACES),
    _rpc("SuspendSubscriber", does.SUSPEND_SUBSCRIBER, subscribers.named, subscriber_message),
    _rpc("ReactivateSubscriber", does.REACTIVATE_SUBSCRIBER, subscribers.named, subscriber_message),
    _rpc("TerminateSubscriber", does.TERMINATE_SUBSCRIBER, subscribers.named, subscribers.terminated),
    _rpc("GetSubscriberUsage", does.USAGE_RECORDS, usage.records_asked, usage.usage_message),
    _rpc("GetUsageData", does.USAGE_OF_MONTH, usage.month_asked, usage.month_message),
    _rpc("GetSubscriberBill", does.BILL, bills.bill_asked, bills.found_message),
    _rpc("GetSubscriberBills", does.BILLS, bills.bills_asked, bills.bill_message),
    _rpc("ExecuteBilling", does.BILL_NOW, bills.billing_asked, bills.activity_message),
    _rpc("ExecuteBillCycle", does.BILL_CYCLE_NOW, bills.run_asked, bills.activity_message),
    _rpc("ReformatBill", does.REISSUE_BILL, bills.reissue_asked, bills.bill_message),
    _rpc("CancelBill", does.CANCEL_BILL, bills.cancel_asked, bills.cancelled_message),
    _rpc("GetStatistics", does.STATISTICS, reference.statistics_asked, reference.statistics_message),
    _rpc("GetRefData", does.REFERENCE_DATA, reference.nothing_asked, reference.data_message),
    _rpc("GetAvailableResources", does.FREE_RESOURCES, subscribers.resources_asked, subscribers.resources),
    _rpc(
        "GetNotifications", does.NOTIFICATIONS, reference.notifications_asked, reference.notifications_message
    ),
    _rpc(
        "AckNotification",
        does.ACKNOWLEDGE_NOTIFICATION,
        reference.acknowledgement,
        reference.notification_message,
    ),
    _rpc("SelectVouchers", does.VOUCHERS, vouchers.vouchers_asked, vouchers.vouchers_message),
    _rpc("SelectVoucher", does.VOUCHER, vouchers.voucher_asked, vouchers.voucher_message),
    _rpc("UpdateVoucher", does.CHANGE_VOUCHERS, vouchers.change_asked, vouchers.changed_message),
    _rpc("InsertVoucher", does.GENERATE_VOUCHERS, vouchers.batch_asked, vouchers.batch_message),
    _rpc("RedeemVoucher", does.REDEEM_VOUCHER, vouchers.redemption_asked, vouchers.redemption_message),
    _rpc("GetTriggers", does.TRIGGERS, triggers.triggers_asked, triggers.triggers_message),
    _rpc("CreateTrigger", does.CREATE_TRIGGER, triggers.new_trigger, triggers.trigger_message),
    _rpc("ModifyTrigger", does.MODIFY_TRIGGER, triggers.change_asked, triggers.trigger_message),
    _rpc("DeleteTrigger", does.DELETE_TRIGGER, triggers.named, triggers.trigger_message),
    _rpc("ResetTrigger", does.RESET_TRIGGER, triggers.reset_asked, triggers.reset_message),
    _rpc("GetTriggerFirings", does.TRIGGER_FIRINGS, triggers.firings_asked, triggers.firings_message),
    _rpc("GetSpendingCap", does.SPENDING_CAP, triggers.cap_asked, triggers.cap_message),
    _rpc("SetSpendingCap", does.SET_SPENDING_CAP, triggers.new_cap_asked, triggers.cap_message),
    _rpc("ClearSpendingCap", does.CLEAR_SPENDING_CAP, triggers.cap_asked, triggers.cap_message),
    _rpc("GetSharedLimits", does.SHARED_LIMITS, triggers.shared_limits_asked, triggers.shared_limits_message),
    _rpc("SetSharedLimit", does.SET_SHARED_LIMIT, triggers.new_shared_limit, triggers.shared_limit_message),
    _rpc(
        "ClearSharedLimit",
        does.CLEAR_SHARED_LIMIT,
        triggers.shared_limit_named,
        triggers.shared_limit_message,
    ),
    _rpc("GetActionGroups", does.ACTION_GROUPS, actions.groups_asked, actions.groups_message),
    _rpc("ExecuteActions", does.RUN_ACTIONS, actions.run_asked, actions.run_message),
    _rpc("GetAccountPlans", does.ACCOUNT_PLANS, actions.plans_asked, actions.plans_message),
    _rpc("AssignPlan", does.ASSIGN_PLAN, actions.plan_asked, actions.plan_message),
    _rpc("RemovePlan", does.REMOVE_PLAN, actions.plan_asked, actions.plan_message),
    # The names of older clients.
    _rpc("AddSubscriber", does.CREATE_SUBSCRIBER, new_subscriber, subscribers.added, PLACES),
    _rpc(
        "UpdateSubscriber", does.MODIFY_SUBSCRIBER, subscribers.changed_by_older, subscribers.updated, PLACES
    ),
    _rpc("GenerateBill", does.BILL_NOW, bills.billing_asked, bills.queued_message),
    _rpc("TopUpVoucher", does.REDEEM_VOUCHER, vouchers.redemption_asked, vouchers.topped_up),
)
