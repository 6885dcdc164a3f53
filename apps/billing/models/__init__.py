"""Rows of the billing room."""

from apps.billing.models.bills import Bill, BillLine, BillNumberSeries, Notification, Payment
from apps.billing.models.charges import Discount, OneOffCharge, RecurringCharge, TaxRule
from apps.billing.models.cycles import Activity, BillCycle, BillingAccount, BillRun, BillRunChunk

__all__ = [
    "Activity",
    "Bill",
    "BillCycle",
    "BillLine",
    "BillNumberSeries",
    "BillRun",
    "BillRunChunk",
    "BillingAccount",
    "Discount",
    "Notification",
    "OneOffCharge",
    "Payment",
    "RecurringCharge",
    "TaxRule",
]
