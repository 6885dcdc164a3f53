"""Balances and the ledger: to look at, for everybody."""

from __future__ import annotations

from django.contrib import admin
from django.utils.safestring import SafeString
from unfold.contrib.filters.admin import AutocompleteSelectFilter, ChoicesDropdownFilter
from unfold.decorators import display

from apps.backoffice.admins import ReadOnlyAdmin
from apps.backoffice.display import add_cause, badge, cause_link, instant, link_to, money, usage
from apps.backoffice.filters import DaysFilter
from apps.backoffice.paging import InfinitePaginator
from apps.charging.models import Balance, LedgerEntry

add_cause("session", "charging.chargingsession")
add_cause("opening", "charging.account")
KIND_COLOURS = {"top_up": "success", "usage": "", "fee": "", "adjustment": "warning", "opening": "info"}


@admin.register(LedgerEntry)
class LedgerEntryAdmin(ReadOnlyAdmin):
    list_display = ("effective", "account", "kind_label", "amount", "book_label", "note", "cause_label")
    list_display_links = ("effective",)
    list_filter = (
        ("balance__account", AutocompleteSelectFilter),
        ("kind", ChoicesDropdownFilter),
        ("book__code", ChoicesDropdownFilter),
        ("at", DaysFilter),
    )
    list_select_related = ("balance__account", "book")
    search_fields = ("cause__startswith",)
    search_help_text = "The first letters of the cause, such as cdr-file:12"
    ordering = ("-at", "-pk")
    paginator = InfinitePaginator
    currency_path = "balance__account__currency"
    fields = ("effective", "account", "balance", "kind_label", "amount", "book_label", "cause_label", "note")

    @display(description="Effective", ordering="at")
    def effective(self, entry: LedgerEntry) -> SafeString | str:
        return instant(entry.at, seconds=True)

    @display(description="Account")
    def account(self, entry: LedgerEntry) -> SafeString | str:
        return link_to(entry.balance.account)

    @display(description="Book")
    def book_label(self, entry: LedgerEntry) -> SafeString | str:
        return link_to(entry.book, entry.book.get_code_display())

    @display(description="Cause")
    def cause_label(self, entry: LedgerEntry) -> SafeString:
        return cause_link(entry.cause)

    @display(description="Kind")
    def kind_label(self, entry: LedgerEntry) -> SafeString:
        return badge(entry.get_kind_display(), KIND_COLOURS.get(entry.kind, ""))


@admin.register(Balance)
class BalanceAdmin(ReadOnlyAdmin):
    list_display = (
        "account_link",
        "tag",
        "kind",
        "holds",
        "reserved_label",
        "active_from",
        "expires_at",
        "weight",
    )
    list_filter = (("kind", ChoicesDropdownFilter), ("account__mode", ChoicesDropdownFilter))
    list_select_related = ("account",)
    search_fields = ("account__number__startswith",)
    search_help_text = "Account's number"
    ordering = ("-pk",)
    paginator = InfinitePaginator
    currency_path = "account__currency"
    fieldsets = (
        (None, {"fields": (("account_link", "tag"), ("kind", "holds"), ("reserved_label", "overdraft"))}),
        (
            "Terms",
            {
                "fields": (
                    ("weight", "rating_subject"),
                    ("active_from", "expires_at"),
                    ("categories", "destinations"),
                    ("timings", "factors"),
                    "shared_groups",
                    ("disabled", "blocker"),
                )
            },
        ),
    )

    @display(description="Holds", ordering="amount_micros")
    def holds(self, balance: Balance) -> SafeString | str:
        if balance.kind == Balance.Kind.MONETARY:
            return money(balance.amount_micros, balance.account.currency)
        return balance.units_text if balance.used_part else usage(balance.units, balance.kind)

    @display(description="Shared groups")
    def shared_groups(self, balance: Balance) -> str:
        return "; ".join(group.code for group in balance.groups.order_by("code")) or "–"

    @display(description="Reserved")
    def reserved_label(self, balance: Balance) -> SafeString | str:
        if balance.kind == Balance.Kind.MONETARY:
            return (
                money(balance.reserved_micros, balance.account.currency) if balance.reserved_micros else "–"
            )
        return usage(balance.reserved_units, balance.kind) if balance.reserved_units else "–"

    @display(description="Account")
    def account_link(self, balance: Balance) -> SafeString | str:
        return link_to(balance.account)
