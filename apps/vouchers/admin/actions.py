"""Actions on vouchers and on whole batches: forms, actions and words that the pages share."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from django import forms
from django.http import HttpRequest

from apps.backoffice.actions import PageAction
from apps.backoffice.display import grouped, plain_money, usage
from apps.backoffice.forms import ActionForm, InstantField
from apps.charging.domain.balances import BalanceKind
from apps.kernel.clock import utc_now
from apps.vouchers.domain.vouchers import STEPS, VoucherAction, VoucherStatus
from apps.vouchers.models import Voucher, VoucherBatch
from apps.vouchers.services.changes import change_vouchers

CHANGE = ("vouchers.change_voucher",)


class ReasonForm(ActionForm):
    reason = forms.CharField(max_length=200, required=False, help_text="Stands with the voucher.")


class ExtendForm(ReasonForm):
    expires_at = InstantField(label="New end")
    field_order = ("expires_at", "reason")


DONE = {
    VoucherAction.ACTIVATE: "activated",
    VoucherAction.BLOCK: "blocked",
    VoucherAction.UNBLOCK: "unblocked",
    VoucherAction.EXTEND: "extended",
    VoucherAction.VOID: "taken out for good",
}


def _change(action: VoucherAction, of_batch: bool) -> Callable[[HttpRequest, Any, ActionForm], str]:
    def run(request: HttpRequest, obj: VoucherBatch | Voucher, form: ActionForm) -> str:
        changed = change_vouchers(
            obj.tenant,
            action,
            utc_now(),
            batch_id=obj.pk if isinstance(obj, VoucherBatch) else None,
            serials=[obj.serial] if isinstance(obj, Voucher) else (),
            expires_at=form.cleaned_data.get("expires_at"),
            reason=form.cleaned_data["reason"],
            by=request.user.get_username(),
        )
        return (
            f"{grouped(changed)} vouchers {DONE[action]}." if of_batch else f"Voucher {obj} {DONE[action]}."
        )

    return run


def _applies(action: VoucherAction) -> Callable[[Voucher], bool]:
    def offered(voucher: Voucher) -> bool:
        late = action in (VoucherAction.EXTEND, VoucherAction.VOID)
        status = VoucherStatus(voucher.status) if late else voucher.status_at(utc_now())
        return status in STEPS[action].allowed

    return offered


def change_actions(of_batch: bool) -> tuple[PageAction, ...]:
    what = "all vouchers of the batch that are not redeemed" if of_batch else "this voucher"
    described = (
        (VoucherAction.VOID, "Void", "delete_forever", f"Takes {what} out for good: there is no way back."),
        (VoucherAction.EXTEND, "Extend", "event", f"Sets a new end for {what}, expired or not."),
        (VoucherAction.BLOCK, "Block", "block", f"Holds {what} back until unblocked."),
        (VoucherAction.UNBLOCK, "Unblock", "lock_open", f"Lets {what} be redeemed again."),
        (VoucherAction.ACTIVATE, "Activate", "check_circle", f"Lets {what} be redeemed from now on."),
    )
    return tuple(
        PageAction(
            action.value,
            title,
            CHANGE,
            _change(action, of_batch),
            ExtendForm if action is VoucherAction.EXTEND else ReasonForm,
            icon=icon,
            explain=partial(_say, text),
            offered=(lambda _: True) if of_batch else _applies(action),
            danger=action is VoucherAction.VOID,
            menu="Change" if of_batch else "",
        )
        for action, title, icon, text in described
    )


def _say(text: str, _: object) -> str:
    return text


def worth(batch: VoucherBatch) -> str:
    """What a voucher of the batch gives, in words."""
    parts = []
    if batch.kind == BalanceKind.MONETARY:
        if batch.amount_micros:
            parts.append(plain_money(batch.amount_micros, batch.currency))
    elif batch.units:
        parts.append(f"{usage(batch.units, batch.kind)} {batch.get_kind_display().split(',')[0].lower()}")
    if batch.bundle is not None:
        parts.append(f"{batch.bundle} for {batch.bundle_days} days")
    return " and ".join(parts)
