"""Addresses of the REST door, below ``/api/v1/``."""

from __future__ import annotations

from typing import Any

from django.urls import path, re_path
from drf_spectacular.renderers import OpenApiJsonRenderer
from drf_spectacular.utils import extend_schema
from drf_spectacular.views import SpectacularAPIView, SpectacularRedocView, SpectacularSwaggerView
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.crmapi.rest.views import (
    accounts,
    bills,
    me,
    operations,
    reference,
    subscribers,
    usage,
    vouchers,
)


class Schema(SpectacularAPIView):
    """The OpenAPI document; it says nothing of customers, so it needs no token."""

    renderer_classes = [OpenApiJsonRenderer]
    authentication_classes = []


@extend_schema(exclude=True)
class Nothing(APIView):
    """Any other address: a problem document, as for everything else here."""

    authentication_classes = []

    def dispatch(self, request: Any, *args: Any, **kwargs: Any) -> Any:
        self.http_method_names = [str(request.method).lower()]
        setattr(self, str(request.method).lower(), self.nothing)
        return super().dispatch(request, *args, **kwargs)

    def nothing(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        raise NotFound(f"There is nothing at {request.path}; see /api/v1/docs.")


urlpatterns = [
    path("subscribers", subscribers.Subscribers.as_view()),
    path("subscribers/<int:subscriber_id>", subscribers.Subscriber.as_view()),
    path("subscribers/<int:subscriber_id>/suspend", subscribers.Suspend.as_view()),
    path("subscribers/<int:subscriber_id>/reactivate", subscribers.Reactivate.as_view()),
    path("subscribers/<int:subscriber_id>/terminate", subscribers.Terminate.as_view()),
    path("subscribers/<int:subscriber_id>/usage", usage.UsageRecords.as_view()),
    path("subscribers/<int:subscriber_id>/allowances", usage.Allowances.as_view()),
    path("subscribers/<int:subscriber_id>/tokens", subscribers.SelfCareTokens.as_view()),
    path("resources", subscribers.FreeResources.as_view()),
    path("accounts", accounts.Accounts.as_view()),
    path("accounts/<int:account_id>", accounts.Account.as_view()),
    path("accounts/<int:account_id>/balances", accounts.AccountBalances.as_view()),
    path("accounts/<int:account_id>/ledger", accounts.Ledger.as_view()),
    path("accounts/<int:account_id>/top-ups", accounts.TopUps.as_view()),
    path("accounts/<int:account_id>/adjustments", accounts.Adjustments.as_view()),
    path("accounts/<int:account_id>/redemption-lock", vouchers.RedemptionLock.as_view()),
    path("accounts/<int:account_id>/redemption-lock/lift", vouchers.RedemptionLockLift.as_view()),
    path("balances/<int:balance_id>", accounts.Balance.as_view()),
    path("rate", usage.Rate.as_view()),
    path("bills", bills.Bills.as_view()),
    path("bills/<int:bill_id>", bills.Bill.as_view()),
    path("bills/<int:bill_id>/pdf", bills.BillPdf.as_view()),
    path("bills/<int:bill_id>/reformat", bills.Reformat.as_view()),
    path("bills/<int:bill_id>/payments", bills.Payments.as_view()),
    path("activities", bills.Activities.as_view()),
    path("activities/<int:activity_id>", bills.Activity.as_view()),
    path("activities/single-billings", bills.SingleBillings.as_view()),
    path("activities/bill-runs", bills.BillRuns.as_view()),
    path("voucher-batches", vouchers.Batches.as_view()),
    path("voucher-batches/<int:batch_id>", vouchers.Batch.as_view()),
    path("voucher-batches/<int:batch_id>/activate", vouchers.BatchActivate.as_view()),
    path("voucher-batches/<int:batch_id>/void", vouchers.BatchVoid.as_view()),
    path("vouchers", vouchers.Vouchers.as_view()),
    path("vouchers/redeem", vouchers.Redeem.as_view()),
    path("vouchers/<str:serial>", vouchers.Voucher.as_view()),
    path("vouchers/<str:serial>/block", vouchers.VoucherBlock.as_view()),
    path("vouchers/<str:serial>/unblock", vouchers.VoucherUnblock.as_view()),
    path("vouchers/<str:serial>/extend", vouchers.VoucherExtend.as_view()),
    path("vouchers/<str:serial>/void", vouchers.VoucherVoid.as_view()),
    path("reference", reference.Reference.as_view()),
    path("price-plans", reference.PricePlans.as_view()),
    path("price-plans/<int:price_plan_id>", reference.PricePlan.as_view()),
    path("bundles", reference.Bundles.as_view()),
    path("bundles/<int:bundle_id>", reference.Bundle.as_view()),
    path("services", reference.Services.as_view()),
    path("bill-cycles", reference.Cycles.as_view()),
    path("suspense", operations.Suspense.as_view()),
    path("suspense/<int:record_id>", operations.SuspendedRecord.as_view()),
    path("suspense/recycle", operations.Recycle.as_view()),
    path("suspense/discard", operations.Discard.as_view()),
    path("statistics", operations.Statistics.as_view()),
    path("audit", operations.Audit.as_view()),
    path("notifications", operations.Notifications.as_view()),
    path("notifications/<int:notification_id>/acknowledge", operations.Acknowledge.as_view()),
    path("me", me.Me.as_view()),
    path("me/balances", me.MyBalances.as_view()),
    path("me/ledger", me.MyLedger.as_view()),
    path("me/allowances", me.MyAllowances.as_view()),
    path("me/usage", me.MyUsage.as_view()),
    path("me/bills", me.MyBills.as_view()),
    path("me/bills/<int:bill_id>", me.MyBill.as_view()),
    path("me/bills/<int:bill_id>/pdf", me.MyBillPdf.as_view()),
    path("me/rate", me.MyRate.as_view()),
    path("me/vouchers/redeem", me.MyRedemptions.as_view()),
    path("openapi.json", Schema.as_view(), name="rest-openapi"),
    path("docs", SpectacularSwaggerView.as_view(url_name="rest-openapi"), name="rest-docs"),
    path(
        "redoc",
        SpectacularRedocView.as_view(url_name="rest-openapi", template_name="rest/redoc.html"),
        name="rest-redoc",
    ),
    re_path(r"^.*$", Nothing.as_view()),
]
