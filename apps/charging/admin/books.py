"""The operator's books: what moved in each, and postings from one to another."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.safestring import SafeString
from unfold.contrib.filters.admin import ChoicesDropdownFilter, DropdownFilter, RelatedDropdownFilter
from unfold.decorators import display

from apps.backoffice.actions import PageAction
from apps.backoffice.admins import ReadOnlyAdmin
from apps.backoffice.display import instant, link_to, money, plain_money
from apps.backoffice.filters import DaysFilter, midnight
from apps.backoffice.forms import ActionForm, InstantField
from apps.backoffice.money import MicrosField
from apps.charging.models import BookPosting, LedgerBook
from apps.charging.selectors import NOTHING_MOVED, book_sums
from apps.charging.services.books import post_between
from apps.kernel.clock import utc_now

_DAYS = {"today": 1, "week": 7, "month": 30, "year": 365}
_USUAL = "month"


class SumsFilter(DropdownFilter):
    """Over which days a list of books adds up: all of the ledger only on request, since it is read for that."""

    title = "days added up"
    parameter_name = "days"
    all_option = None

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [
            (_USUAL, "Last 30 days"),
            ("today", "Today"),
            ("week", "Last 7 days"),
            ("year", "Last 365 days"),
            ("ever", "All"),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset


def _first_instant(choice: str) -> datetime | None:
    """Where the days begin that a choice of :class:`SumsFilter` adds up; None: with the first entry."""
    if choice == "ever":
        return None
    days = _DAYS.get(choice, _DAYS[_USUAL])
    return midnight(timezone.localdate() - timedelta(days=days - 1))


class PostingForm(ActionForm):
    """Money from this book to another. The hidden key is the cause: sending the form twice moves it once."""

    amount_micros = MicrosField(label="Amount", min_micros=1)
    credit = forms.ModelChoiceField(LedgerBook.objects.none(), label="To")
    note = forms.CharField(max_length=200, label="Reason")
    at = InstantField(required=False, label="Takes effect", help_text="Empty: now.")
    key = forms.RegexField(r"^[0-9a-f]{32}$", widget=forms.HiddenInput, initial=lambda: uuid4().hex)

    def prepare(self) -> None:
        book = self.obj
        self.fields["amount_micros"].help_text = f"In {book.currency}."
        others = LedgerBook.objects.filter(tenant=book.tenant_id, currency=book.currency)
        self.offer("credit", others.exclude(pk=book.pk).order_by("code"))


def post_to(request: HttpRequest, book: LedgerBook, form: PostingForm) -> str:
    data = form.cleaned_data
    posting = post_between(
        book,
        data["credit"],
        data["amount_micros"],
        cause=f"admin:{request.user.pk}:{data['key']}",
        at=data["at"] or utc_now(),
        note=data["note"],
    )
    moved = plain_money(posting.amount_micros, book.currency)
    return f"{moved} posted to {posting.credit.get_code_display()}."


@admin.register(LedgerBook)
class LedgerBookAdmin(ReadOnlyAdmin):
    list_display = ("name", "currency", "tenant", "debited", "credited", "difference")
    list_filter = (
        SumsFilter,
        ("code", ChoicesDropdownFilter),
        ("tenant", RelatedDropdownFilter),
        "currency",
    )
    list_select_related = ("tenant",)
    ordering = ("tenant", "currency", "code")
    fields = ("name", "tenant", "currency")
    page_actions = (
        PageAction(
            "post",
            "Post to another book",
            ("charging.add_bookposting",),
            post_to,
            PostingForm,
            icon="swap_horiz",
            explain=lambda book: (
                f"Debits “{book}” and credits another book of the same tenant and currency; no account's balance "
                "changes. Postings are never changed: a wrong one is put right by another the other way."
            ),
            submit="Post",
        ),
    )

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        changelist = super().get_changelist_instance(request)
        first = _first_instant(request.GET.get(SumsFilter.parameter_name, _USUAL))
        sums = book_sums([book.pk for book in changelist.result_list], first)
        for book in changelist.result_list:
            book.sums = sums.get(book.pk, NOTHING_MOVED)
        return changelist

    @display(description="Book", ordering="code")
    def name(self, book: LedgerBook) -> SafeString | str:
        return book.get_code_display()

    @display(description="Debited")
    def debited(self, book: Any) -> SafeString | str:
        return money(book.sums.debited, book.currency)

    @display(description="Credited")
    def credited(self, book: Any) -> SafeString | str:
        return money(book.sums.credited, book.currency)

    @display(description="Credited less debited")
    def difference(self, book: Any) -> SafeString | str:
        return money(book.sums.credited - book.sums.debited, book.currency)


@admin.register(BookPosting)
class BookPostingAdmin(ReadOnlyAdmin):
    list_display = ("effective", "debit_label", "credit_label", "amount", "note", "cause")
    list_display_links = ("effective",)
    list_filter = (
        ("debit__code", ChoicesDropdownFilter),
        ("credit__code", ChoicesDropdownFilter),
        ("at", DaysFilter),
    )
    list_select_related = ("debit", "credit")
    search_fields = ("cause__startswith",)
    search_help_text = "The first letters of the cause"
    ordering = ("-at", "-pk")
    currency_path = "debit__currency"
    fields = ("effective", "debit_label", "credit_label", "amount", "cause", "note")

    @display(description="Effective", ordering="at")
    def effective(self, posting: BookPosting) -> SafeString | str:
        return instant(posting.at, seconds=True)

    @display(description="From (debit)")
    def debit_label(self, posting: BookPosting) -> SafeString | str:
        return link_to(posting.debit)

    @display(description="To (credit)")
    def credit_label(self, posting: BookPosting) -> SafeString | str:
        return link_to(posting.credit)
