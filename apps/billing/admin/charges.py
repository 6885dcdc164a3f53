"""Recurring and one-off charges, discounts and tax rules: reference data of bills."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib import admin
from django.http import HttpRequest
from django.utils.safestring import SafeString
from unfold.contrib.filters.admin import AutocompleteSelectFilter, RelatedDropdownFilter
from unfold.decorators import display

from apps.backoffice.admins import HistoryAdmin, KeptMixin
from apps.backoffice.display import badge, instant, link_to
from apps.backoffice.filters import DaysFilter
from apps.billing.models import Discount, OneOffCharge, RecurringCharge, TaxRule
from apps.kernel.clock import utc_now


class ChargeAdmin(KeptMixin, HistoryAdmin):
    """Charges to one account."""

    list_filter: ClassVar[tuple[Any, ...]] = (("account", AutocompleteSelectFilter),)
    list_select_related: ClassVar[tuple[str, ...]] = ("account",)
    search_fields = ("account__number__startswith", "description")
    search_help_text = "Account's number, or words of the description"
    ordering = ("-start", "-pk")
    autocomplete_fields: ClassVar[tuple[str, ...]] = ("account", "subscriber")
    currency_path = "account__currency"

    @display(description="Account", ordering="account__number")
    def account_link(self, charge: Any) -> SafeString | str:
        return link_to(charge.account)

    @display(description="From", ordering="start")
    def from_time(self, charge: Any) -> SafeString | str:
        return instant(charge.start)

    @display(description="Until", ordering="end")
    def until_time(self, charge: Any) -> SafeString | str:
        return instant(charge.end)


@admin.register(RecurringCharge)
class RecurringChargeAdmin(ChargeAdmin):
    list_display = ("description", "account_link", "monthly_amount", "from_time", "until_time")
    fields = (("account", "subscriber"), "description", "monthly_amount_micros", ("start", "end"))

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return ("account",) if obj is not None else ()


@admin.register(OneOffCharge)
class OneOffChargeAdmin(ChargeAdmin):
    list_display = ("description", "account_link", "amount", "at_time", "billed")
    list_filter = (("account", AutocompleteSelectFilter), ("at", DaysFilter))
    list_select_related = ("account", "bill")
    ordering = ("-at", "-pk")
    fields = (("account", "subscriber"), "description", "amount_micros", "at", "billed")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return ("account", "billed") if obj is not None else ("billed",)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        # What stands on a bill is not changed any more; a credit is another charge with a minus.
        return super().has_change_permission(request, obj) and (obj is None or obj.bill_id is None)

    @display(description="At", ordering="at")
    def at_time(self, charge: OneOffCharge) -> SafeString | str:
        return instant(charge.at)

    @display(description="Billed")
    def billed(self, charge: OneOffCharge) -> SafeString | str:
        return link_to(charge.bill) if charge.bill_id else badge("Not yet", "info")


@admin.register(Discount)
class DiscountAdmin(ChargeAdmin):
    list_display = (
        "description",
        "account_link",
        "rate",
        "scope",
        "service",
        "from_time",
        "until_time",
    )
    list_select_related = ("account", "service")
    autocomplete_fields = ("account",)
    fields = ("account", "description", ("rate_millionths", "scope"), "service", ("start", "end"))

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return ("account",) if obj is not None else ()


@admin.register(TaxRule)
class TaxRuleAdmin(KeptMixin, HistoryAdmin):
    list_display = ("name", "rate", "service_label", "tenant", "valid_from", "valid_until", "state")
    list_filter = (("tenant", RelatedDropdownFilter), ("service", RelatedDropdownFilter))
    list_select_related = ("tenant", "service")
    search_fields = ("name",)
    ordering = ("tenant", "service", "-valid_from")
    fields = (("tenant", "service"), ("name", "rate_millionths"), ("valid_from", "valid_until"))

    @display(description="Service", ordering="service")
    def service_label(self, rule: TaxRule) -> SafeString | str:
        return str(rule.service or "all others")

    @display(description="State")
    def state(self, rule: TaxRule) -> SafeString | str:
        today = utc_now().astimezone(rule.tenant.zone).date()
        if rule.valid_from > today:
            return badge("Planned", "info")
        if rule.valid_until is not None and rule.valid_until <= today:
            return badge("Ended")
        return badge("Valid", "success")
