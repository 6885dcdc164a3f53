"""Every RPC of billing.CRMService: how it is run, its request, and what does it."""

from __future__ import annotations

from apps.crmapi.grpc.pb import crm_pb2 as crm
from apps.crmapi.grpc.servicers import bills, reference, subscribers, usage, vouchers
from apps.crmapi.grpc.servicers.rpc import Kind, Rpc
from apps.mediation.pb import billing_pb2 as billing

SERVICE = "billing.CRMService"

RPCS: tuple[Rpc, ...] = (
    Rpc("GetSubscribers", Kind.STREAM, crm.GetSubscribersRequest, subscribers.get_subscribers),
    Rpc("GetSubscriber", Kind.READ, crm.GetSubscriberRequest, subscribers.get_subscriber),
    Rpc("CreateSubscriber", Kind.CHANGE, billing.Subscriber, subscribers.create_subscriber),
    Rpc("ModifySubscriber", Kind.CHANGE, crm.ModifySubscriberRequest, subscribers.modify_subscriber),
    Rpc("SuspendSubscriber", Kind.CHANGE, crm.SuspendSubscriberRequest, subscribers.suspend_subscriber),
    Rpc(
        "ReactivateSubscriber",
        Kind.CHANGE,
        crm.ReactivateSubscriberRequest,
        subscribers.reactivate_subscriber,
    ),
    Rpc("TerminateSubscriber", Kind.CHANGE, crm.TerminateSubscriberRequest, subscribers.terminate_subscriber),
    Rpc("GetSubscriberUsage", Kind.STREAM, crm.GetSubscriberUsageRequest, usage.get_subscriber_usage),
    Rpc("GetUsageData", Kind.READ, crm.GetUsageDataRequest, usage.get_usage_data),
    Rpc("GetSubscriberBill", Kind.READ, crm.GetSubscriberBillRequest, bills.get_subscriber_bill),
    Rpc("GetSubscriberBills", Kind.STREAM, crm.GetSubscriberBillsRequest, bills.get_subscriber_bills),
    Rpc("ExecuteBilling", Kind.CHANGE, crm.ExecuteBillingRequest, bills.execute_billing),
    Rpc("ExecuteBillCycle", Kind.CHANGE, crm.ExecuteBillCycleRequest, bills.execute_bill_cycle),
    Rpc("ReformatBill", Kind.CHANGE, crm.ReformatBillRequest, bills.reformat_bill),
    Rpc("GetStatistics", Kind.READ, crm.GetStatisticsRequest, reference.get_statistics),
    Rpc("GetRefData", Kind.READ, crm.GetRefDataRequest, reference.get_ref_data),
    Rpc(
        "GetAvailableResources",
        Kind.READ,
        crm.GetAvailableResourcesRequest,
        subscribers.get_available_resources,
    ),
    Rpc("GetNotifications", Kind.READ, crm.GetNotificationsRequest, reference.get_notifications),
    Rpc("AckNotification", Kind.CHANGE, crm.AckNotificationRequest, reference.ack_notification),
    Rpc("SelectVouchers", Kind.READ, crm.SelectVouchersRequest, vouchers.select_vouchers),
    Rpc("SelectVoucher", Kind.READ, crm.SelectVoucherRequest, vouchers.select_voucher),
    Rpc("UpdateVoucher", Kind.CHANGE, crm.UpdateVoucherRequest, vouchers.update_voucher),
    # Their answers (PINs), and guesses that are remembered, must not be undone or kept with the call.
    Rpc("InsertVoucher", Kind.ONCE, crm.InsertVoucherRequest, vouchers.insert_voucher),
    Rpc("RedeemVoucher", Kind.ONCE, crm.RedeemVoucherRequest, vouchers.redeem_voucher),
    Rpc("AddSubscriber", Kind.CHANGE, billing.Subscriber, subscribers.add_subscriber),
    Rpc("UpdateSubscriber", Kind.CHANGE, billing.Subscriber, subscribers.update_subscriber),
    Rpc("GenerateBill", Kind.CHANGE, crm.ExecuteBillingRequest, bills.generate_bill),
    Rpc("TopUpVoucher", Kind.ONCE, crm.RedeemVoucherRequest, vouchers.top_up_voucher),
)
