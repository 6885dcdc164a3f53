"""The spending cap of an account: what was used of it, to set and to take away on the account's page."""

from __future__ import annotations

from django.http import HttpRequest

from apps.backoffice.actions import PageAction, add_action
from apps.backoffice.forms import ActionForm
from apps.backoffice.money import MicrosField
from apps.backoffice.panels import Fact, add_facts
from apps.charging.domain.triggers import amount_text
from apps.charging.models import Account
from apps.charging.services.spending_caps import SMALLEST_MICROS, cap_of, clear_cap, set_cap
from apps.kernel.clock import utc_now

CAP = ("charging.view_account", "charging.add_balancetrigger")


class CapForm(ActionForm):
    limit_micros = MicrosField(label="A month", min_micros=SMALLEST_MICROS)

    def prepare(self) -> None:
        self.fields["limit_micros"].help_text = f"In {self.obj.currency}."


def _set(request: HttpRequest, account: Account, form: CapForm) -> str:
    cap = set_cap(account, form.cleaned_data["limit_micros"], utc_now())
    limit = amount_text(cap.limit_micros, "monetary", account.currency)
    return f"{account} may use {limit} a month."


def _clear(request: HttpRequest, account: Account, form: ActionForm) -> str:
    clear_cap(account, utc_now())
    return f"{account} has no spending cap any more."


def _has_cap(account: Account) -> bool:
    return cap_of(account, utc_now()) is not None


def _facts(request: HttpRequest, account: Account) -> list[Fact]:
    cap = cap_of(account, utc_now())
    if cap is None:
        return []
    spent, limit = (
        amount_text(amount, "monetary", account.currency) for amount in (cap.spent_micros, cap.limit_micros)
    )
    return [Fact("Spending cap", limit, f"{spent} used this month")]


add_facts("charging.account", _facts)
add_action(
    "charging.account",
    PageAction(
        "spending-cap",
        "Set spending cap",
        CAP,
        _set,
        CapForm,
        icon="speed",
        menu="More",
        offered=lambda account: account.closed_at is None,
        explain=lambda account: (
            f"A notification tells when account {account} has used 80 and 100 per cent of it in a calendar month; then "
            "nothing more is granted until the month is over. Usage counts from the first cap on."
        ),
    ),
)
add_action(
    "charging.account",
    PageAction(
        "clear-spending-cap",
        "Clear spending cap",
        CAP,
        _clear,
        icon="money_off",
        offered=_has_cap,
        explain=lambda account: (
            f"Account {account} may use as much as it can pay; a bar of the cap is lifted."
        ),
    ),
)
