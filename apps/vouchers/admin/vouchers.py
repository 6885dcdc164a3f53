"""Vouchers, parties stopped for wrong PINs, and redeeming one for a customer."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from django import forms
from django.contrib import admin, messages
from django.contrib.admin import ModelAdmin
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.contrib.filters.admin import AutocompleteSelectFilter, DropdownFilter
from unfold.decorators import display

from apps.backoffice.actions import PageAction, add_action, tell
from apps.backoffice.admins import ReadOnlyAdmin
from apps.backoffice.display import badge, instant, link_to, plain_money, usage
from apps.backoffice.filters import DaysFilter
from apps.backoffice.forms import ActionForm
from apps.backoffice.paging import InfinitePaginator
from apps.backoffice.panels import Panel, Table, add_panel, page_of
from apps.charging.domain.balances import BalanceKind
from apps.charging.models import Account, LedgerEntry
from apps.kernel.clock import utc_now
from apps.kernel.errors import BssError, InvalidInput
from apps.vouchers.admin.actions import CHANGE, DONE, change_actions, worth
from apps.vouchers.domain.vouchers import VoucherAction, VoucherStatus
from apps.vouchers.models import RedemptionGuard, Voucher
from apps.vouchers.selectors import vouchers_with_status
from apps.vouchers.services.changes import change_vouchers
from apps.vouchers.services.guards import lift_lock
from apps.vouchers.services.redemption import redeem

LIFT = ("vouchers.change_redemptionguard",)
REDEEM = ("charging.add_ledgerentry",)
STATUS_COLOURS = {
    "generated": "info",
    "active": "success",
    "blocked": "warning",
    "redeemed": "primary",
    "expired": "",
    "void": "danger",
}


class StatusFilter(DropdownFilter):
    """By status as it is now, “expired” among them."""

    title = "status"
    parameter_name = "status"

    def lookups(self, request: HttpRequest, model_admin: ModelAdmin[Any]) -> list[tuple[str, str]]:
        return [(status.value, status.value.title()) for status in VoucherStatus]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Voucher]) -> QuerySet[Voucher]:
        value = self.value()
        return vouchers_with_status(queryset, value, utc_now()) if value in set(VoucherStatus) else queryset


@admin.register(Voucher)
class VoucherAdmin(ReadOnlyAdmin):
    list_display = ("serial", "status_label", "worth", "batch_link", "account_link", "redeemed", "expires")
    list_filter = (
        StatusFilter,
        ("batch", AutocompleteSelectFilter),
        ("account", AutocompleteSelectFilter),
        ("redeemed_at", DaysFilter),
    )
    list_select_related = ("tenant", "batch__bundle", "account")
    search_fields = ("serial__startswith", "=msisdn")
    search_help_text = "Serial number, or the number it was redeemed for; PINs cannot be looked up"
    ordering = ("-pk",)
    paginator = InfinitePaginator
    fields = (
        ("serial", "status_label"),
        ("worth", "batch_link"),
        ("starts", "expires"),
        ("account_link", "msisdn"),
        ("redeemed", "entry_link"),
        ("changed", "changed_by"),
        "reason",
    )
    page_actions = change_actions(False)[:4]
    actions = ("block_selected", "unblock_selected")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Voucher]:
        return super().get_queryset(request).defer("pin_hash")

    @display(description="Status", ordering="status")
    def status_label(self, voucher: Voucher) -> str:
        status = voucher.status_at(utc_now())
        return badge(status.value.title(), STATUS_COLOURS.get(status, ""))

    @display(description="Gives")
    def worth(self, voucher: Voucher) -> str:
        return worth(voucher.batch)

    @display(description="Batch", ordering="batch")
    def batch_link(self, voucher: Voucher) -> str:
        return link_to(voucher.batch)

    @display(description="Redeemed by")
    def account_link(self, voucher: Voucher) -> str:
        return link_to(voucher.account)

    @display(description="Redeemed", ordering="redeemed_at")
    def redeemed(self, voucher: Voucher) -> str:
        return instant(voucher.redeemed_at, seconds=True)

    @display(description="Ledger entry")
    def entry_link(self, voucher: Voucher) -> str:
        return link_to(LedgerEntry.objects.filter(cause=voucher.cause).first() if voucher.cause else None)

    @display(description="Valid from")
    def starts(self, voucher: Voucher) -> str:
        return instant(voucher.valid_from)

    @display(description="Expires", ordering="expires_at")
    def expires(self, voucher: Voucher) -> str:
        return instant(voucher.expires_at)

    @display(description="Changed")
    def changed(self, voucher: Voucher) -> str:
        return instant(voucher.changed_at, seconds=True)

    def has_change_voucher_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perms(CHANGE)

    @admin.action(description="Block", permissions=["change_voucher"])
    def block_selected(self, request: HttpRequest, queryset: QuerySet[Voucher]) -> None:
        self._each(request, queryset, VoucherAction.BLOCK)

    @admin.action(description="Unblock", permissions=["change_voucher"])
    def unblock_selected(self, request: HttpRequest, queryset: QuerySet[Voucher]) -> None:
        self._each(request, queryset, VoucherAction.UNBLOCK)

    def _each(self, request: HttpRequest, queryset: QuerySet[Voucher], action: VoucherAction) -> None:
        now, changed = utc_now(), 0
        for voucher in queryset.select_related("tenant").order_by("pk"):
            try:
                changed += change_vouchers(
                    voucher.tenant, action, now, serials=[voucher.serial], by=request.user.get_username()
                )
            except BssError as error:
                tell(request, error)
        if changed:
            messages.success(request, f"{changed} voucher{'s' if changed != 1 else ''} {DONE[action]}.")


class LockedFilter(DropdownFilter):
    title = "locked"
    parameter_name = "locked"

    def lookups(self, request: HttpRequest, model_admin: ModelAdmin[Any]) -> list[tuple[str, str]]:
        return [("yes", "Locked"), ("no", "Only slowed")]

    def queryset(
        self, request: HttpRequest, queryset: QuerySet[RedemptionGuard]
    ) -> QuerySet[RedemptionGuard]:
        if self.value() in ("yes", "no"):
            return queryset.filter(locked_at__isnull=self.value() == "no")
        return queryset


class LiftForm(ActionForm):
    reason = forms.CharField(
        max_length=200, required=False, help_text="Such as how the customer was identified."
    )


def lift(request: HttpRequest, guard: RedemptionGuard, form: LiftForm) -> str:
    lift_lock(
        guard.tenant,
        guard.subject,
        utc_now(),
        by=request.user.get_username(),
        reason=form.cleaned_data["reason"],
    )
    return f"{guard} may redeem vouchers again."


@admin.register(RedemptionGuard)
class RedemptionGuardAdmin(ReadOnlyAdmin):
    list_display = ("subject", "who", "state", "failures", "failed", "lifted", "lifted_by")
    list_filter = (LockedFilter, ("failed_at", DaysFilter))
    list_select_related = ("tenant",)
    search_fields = ("subject",)
    search_help_text = "account:<id> or caller:<name>"
    ordering = ("-locked_at", "-failed_at")
    fields = (
        ("subject", "who"),
        ("state", "failures"),
        ("failed", "locked"),
        ("lifted", "lifted_by"),
        "lift_reason",
    )
    page_actions = (
        PageAction(
            "lift",
            "Let in again",
            LIFT,
            lift,
            LiftForm,
            icon="lock_open",
            primary=True,
            offered=lambda guard: bool(guard.failures or guard.locked_at),
            explain=lambda guard: f"Forgets the wrong PINs of {guard}: it can redeem vouchers again at once.",
        ),
    )

    @display(description="Account")
    def who(self, guard: RedemptionGuard) -> str:
        kind, _, number = guard.subject.partition(":")
        if kind != "account" or not number.isdigit():
            return "–"
        return link_to(Account.objects.filter(pk=int(number)).first())

    @display(description="State")
    def state(self, guard: RedemptionGuard) -> str:
        if guard.locked_at is not None:
            return badge("Locked", "danger")
        return badge("Slowed", "warning") if guard.failures else badge("Free", "success")

    @display(description="Last wrong PIN", ordering="failed_at")
    def failed(self, guard: RedemptionGuard) -> str:
        return instant(guard.failed_at, seconds=True)

    @display(description="Locked", ordering="locked_at")
    def locked(self, guard: RedemptionGuard) -> str:
        return instant(guard.locked_at, seconds=True)

    @display(description="Let in again", ordering="lifted_at")
    def lifted(self, guard: RedemptionGuard) -> str:
        return instant(guard.lifted_at)


class RedeemForm(ActionForm):
    """A customer's PIN, typed by staff. It is not sent back to the page, and not kept."""

    pin = forms.CharField(
        label="PIN",
        max_length=64,
        widget=forms.PasswordInput(attrs={"autocomplete": "off", "inputmode": "numeric"}),
        help_text="16 digits; spaces do not matter.",
    )
    key = forms.RegexField(r"^[0-9a-f]{32}$", widget=forms.HiddenInput, initial=lambda: uuid4().hex)


def redeem_voucher(request: HttpRequest, account: Account, form: RedeemForm) -> str:
    data = form.cleaned_data
    try:
        done = redeem(
            account.tenant,
            data["pin"],
            utc_now(),
            account=account,
            key=f"admin:{request.user.pk}:{data['key']}",
        )
    except InvalidInput as error:
        raise ValidationError({"pin": f"{error.message[:1].upper()}{error.message[1:]}."}) from error
    gave = (
        plain_money(done.value, done.currency)
        if done.kind == BalanceKind.MONETARY
        else usage(done.value, done.kind)
    )
    return f"Voucher {done.serial} redeemed: {gave}; the balance is {plain_money(done.balance_micros, done.currency)}."


add_action(
    "charging.account",
    PageAction(
        "redeem",
        "Redeem voucher",
        REDEEM,
        redeem_voucher,
        RedeemForm,
        icon="confirmation_number",
        offered=lambda account: account.closed_at is None and account.mode == Account.Mode.PREPAID,
        explain=lambda account: (
            f"Credits account {account} with a voucher. Wrong PINs count for the account, as if the customer had"
            " typed them."
        ),
        submit="Redeem",
    ),
)


def redeemed_by(request: HttpRequest, account: Account) -> Table:
    vouchers = (
        account.vouchers.select_related("batch__bundle").defer("pin_hash").order_by("-redeemed_at", "-pk")
    )
    rows, previous_url, next_url = page_of(request, "vouchers", vouchers)
    return Table(
        ("Redeemed", "Voucher", "Gave", "For number", "Batch"),
        [
            (
                instant(row.redeemed_at),
                link_to(row),
                worth(row.batch),
                row.msisdn or "–",
                link_to(row.batch),
            )
            for row in rows
        ],
        "No voucher has been redeemed on this account.",
        previous_url=previous_url,
        next_url=next_url,
    )


add_panel("charging.account", Panel("vouchers", "Vouchers", redeemed_by, ("vouchers.view_voucher",), 40))
