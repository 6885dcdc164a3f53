"""Balances and the ledger: to look at, for everybody."""

from __future__ import annotations

from django.contrib import admin
from unfold.contrib.filters.admin import AutocompleteSelectFilter, ChoicesDropdownFilter, RangeDateFilter
from unfold.decorators import display

from apps.backoffice.admins import ReadOnlyAdmin
from apps.backoffice.display import badge, instant, link_to
from apps.backoffice.paging import UncountedPaginator
from apps.charging.models import Balance, LedgerEntry

KIND_COLOURS = {"top_up": "success", "usage": "", "fee": "", "adjustment": "warning", "opening": "info"}


@admin.register(LedgerEntry)
class LedgerEntryAdmin(ReadOnlyAdmin):
    list_display = ("effective", "account", "kind_label", "amount", "book", "note", "cause")
    list_display_links = ("effective",)
    list_filter = (
        ("balance__account", AutocompleteSelectFilter),
        ("kind", ChoicesDropdownFilter),
        ("book", ChoicesDropdownFilter),
        ("at", RangeDateFilter),
    )
    list_select_related = ("balance__account",)
    search_fields = ("cause__startswith",)
    search_help_text = "The first letters of the cause, such as cdr-file:12"
    ordering = ("-pk",)
    paginator = UncountedPaginator
    currency_path = "balance__account__currency"
    fields = ("effective", "account", "balance", "kind_label", "amount", "book", "cause", "note")

    @display(description="Effective", ordering="at")
    def effective(self, entry: LedgerEntry):
        return instant(entry.at, seconds=True)

    @display(description="Account")
    def account(self, entry: LedgerEntry):
        return link_to(entry.balance.account)

    @display(description="Kind")
    def kind_label(self, entry: LedgerEntry):
        return badge(entry.get_kind_display(), KIND_COLOURS.get(entry.kind, ""))


@admin.register(Balance)
class BalanceAdmin(ReadOnlyAdmin):
    list_display = ("account_link", "tag", "amount")
    list_filter = (("account__mode", ChoicesDropdownFilter),)
    list_select_related = ("account",)
    search_fields = ("account__number__startswith",)
    search_help_text = "Account's number"
    ordering = ("-pk",)
    paginator = UncountedPaginator
    currency_path = "account__currency"
    fields = ("account_link", "tag", "amount")

    @display(description="Account")
    def account_link(self, balance: Balance):
        return link_to(balance.account)
