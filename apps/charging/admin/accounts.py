"""Accounts: who pays, what they hold, and money put on or taken off by hand."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from django import forms
from django.contrib import admin
from django.db.models import OuterRef, Q, QuerySet, Subquery
from django.http import HttpRequest
from django.utils.safestring import SafeString
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RelatedDropdownFilter
from unfold.decorators import display

from apps.backoffice.actions import PageAction
from apps.backoffice.admins import HistoryAdmin, KeptMixin
from apps.backoffice.display import badge, instant, link_to, money, plain_money
from apps.backoffice.forms import ActionForm, InstantField
from apps.backoffice.money import MicrosField
from apps.charging.models import DEFAULT_BALANCE, Account, Balance, LedgerBook, LedgerEntry
from apps.charging.services import ledger
from apps.charging.services.account_modes import checked_mode
from apps.kernel.clock import utc_now

MOVE = ("charging.add_ledgerentry",)


class MovementForm(ActionForm):
    """Money onto an account. The hidden key is the movement's cause, so that sending the form twice moves it once."""

    amount_micros = MicrosField(label="Amount", min_micros=1)
    note = forms.CharField(
        max_length=200, label="Reason", help_text="Stands in the ledger and on the statement."
    )
    at = InstantField(required=False, label="Takes effect", help_text="Empty: now.")
    key = forms.RegexField(r"^[0-9a-f]{32}$", widget=forms.HiddenInput, initial=lambda: uuid4().hex)

    def prepare(self) -> None:
        self.fields["amount_micros"].help_text = f"In {self.obj.currency}."


class TopUpForm(MovementForm):
    note = forms.CharField(
        max_length=200, label="Reference", help_text="Such as the receipt's number; stands in the ledger."
    )


class AdjustmentForm(MovementForm):
    amount_micros = MicrosField(label="Amount")
    book = forms.ChoiceField(
        label="Against",
        choices=[
            (LedgerBook.Code.CORRECTION, "Corrections"),
            (LedgerBook.Code.PROMOTION, "Promotions given"),
            (LedgerBook.Code.REVENUE, "Usage revenue"),
            (LedgerBook.Code.FEES, "Recurring fees"),
        ],
    )
    field_order = ("amount_micros", "book", "note", "at")

    def prepare(self) -> None:
        self.fields[
            "amount_micros"
        ].help_text = f"In {self.obj.currency}; with a minus it is taken off the account."


def _post(request: HttpRequest, account: Account, form: MovementForm, kind: str, book: str) -> str:
    data = form.cleaned_data
    entry = ledger.post(
        account,
        data["amount_micros"],
        kind=kind,
        book=book,
        cause=f"admin:{request.user.pk}:{data['key']}",
        at=data["at"] or utc_now(),
        note=data["note"],
    )
    entry.balance.refresh_from_db()
    moved = plain_money(entry.amount_micros, account.currency)
    return f"{moved} posted; the balance is {plain_money(entry.balance.amount_micros, account.currency)}."


def top_up(request: HttpRequest, account: Account, form: TopUpForm) -> str:
    return _post(request, account, form, LedgerEntry.Kind.TOP_UP, LedgerBook.Code.CASH)


def adjust(request: HttpRequest, account: Account, form: AdjustmentForm) -> str:
    return _post(request, account, form, LedgerEntry.Kind.ADJUSTMENT, form.cleaned_data["book"])


def _open(account: Account) -> bool:
    return account.closed_at is None


@admin.register(Account)
class AccountAdmin(KeptMixin, HistoryAdmin):
    list_display = ("number", "customer_link", "mode_label", "balance", "currency", "opened", "tenant")
    list_filter = (
        ("mode", ChoicesDropdownFilter),
        ("charging_mode", ChoicesDropdownFilter),
        ("tenant", RelatedDropdownFilter),
    )
    list_select_related = ("tenant", "customer")
    search_fields = ("number__startswith", "customer__name", "customer__number__startswith")
    search_help_text = "Account's or customer's number, or the customer's name"
    ordering = ("-pk",)
    fieldsets = (
        (
            None,
            {
                "fields": (
                    ("number", "mode_label"),
                    ("customer_link", "tenant"),
                    ("currency", "balance"),
                    ("allow_negative", "charging_mode"),
                    ("opened", "closed"),
                )
            },
        ),
    )
    readonly_fields = (
        "number",
        "mode_label",
        "customer_link",
        "tenant",
        "currency",
        "balance",
        "opened",
        "closed",
    )
    page_actions = (
        PageAction(
            "adjust",
            "Adjust balance",
            MOVE,
            adjust,
            AdjustmentForm,
            icon="tune",
            offered=_open,
            explain=lambda account: (
                f"Gives money to account {account} or takes it, against one of the operator's books. Entries of the "
                "ledger are never changed: a wrong one is put right by another."
            ),
            submit="Post",
        ),
        PageAction(
            "top-up",
            "Top up",
            MOVE,
            top_up,
            TopUpForm,
            icon="add_card",
            primary=True,
            offered=lambda account: _open(account) and account.mode == Account.Mode.PREPAID,
            explain=lambda account: f"Money that was received for account {account}.",
        ),
    )

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: Account, form: Any, change: bool) -> None:
        obj.charging_mode = checked_mode(obj, obj.charging_mode)
        super().save_model(request, obj, form, change)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Account]:
        default = Balance.objects.filter(account=OuterRef("pk"), tag=DEFAULT_BALANCE)
        accounts: QuerySet[Account] = super().get_queryset(request)
        return accounts.annotate(balance_micros=Subquery(default.values("amount_micros")[:1]))

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Account], search_term: str
    ) -> tuple[QuerySet[Account], bool]:
        """Digits and codes are looked up among the numbers by index; anything else in the names."""
        term = search_term.strip()
        if not term:
            return queryset, False
        found = Q(number__startswith=term) | Q(customer__number__startswith=term)
        if not term.isdigit():
            found |= Q(customer__name__icontains=term)
        return queryset.filter(found), False

    @display(description="Customer", ordering="customer__name")
    def customer_link(self, account: Account) -> SafeString | str:
        return link_to(account.customer)

    @display(description="Mode", ordering="mode")
    def mode_label(self, account: Account) -> SafeString:
        return badge(
            account.get_mode_display(), ({"prepaid": "info", "postpaid": "primary"}).get(account.mode, "")
        )

    @display(description="Balance", ordering="balance_micros")
    def balance(self, account: Account) -> SafeString | str:
        # Annotated by get_queryset, which no type says.
        held: int | None = account.__dict__["balance_micros"]
        return "–" if held is None else money(held, account.currency)

    @display(description="Opened", ordering="opened_at")
    def opened(self, account: Account) -> SafeString | str:
        return instant(account.opened_at)

    @display(description="Closed")
    def closed(self, account: Account) -> SafeString | str:
        return instant(account.closed_at)
