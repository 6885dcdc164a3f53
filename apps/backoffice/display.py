"""How values are shown on admin pages: money, usage, instants, links and coloured labels."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db.models import Model
from django.template.loader import render_to_string
from django.urls import NoReverseMatch, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.http import urlencode
from django.utils.safestring import SafeString

from apps.kernel.currencies import decimals_of, payable_micros
from apps.kernel.money import format_micros
from apps.kernel.units import VOICE_NS, TypeOfRecord, format_nanoseconds

NOTHING = "–"


def grouped(number: int) -> str:
    """A whole number with thin groups of three: ``1 234 567``."""
    return f"{number:,}".replace(",", "\u202f")


def plain_money(micros: int | None, currency: str = "") -> str:
    """``1 234.50 EUR`` as plain text, with the currency's decimals; more only if the amount has them."""
    if micros is None:
        return NOTHING
    whole, _, fraction = format_micros(abs(micros), decimals_of(currency)).partition(".")
    sign = "\u2212" if micros < 0 else ""
    number = f"{sign}{grouped(int(whole))}" + (f".{fraction}" if fraction else "")
    return f"{number}\u00a0{currency}" if currency else number


def money(micros: int | None, currency: str = "", *, exact: bool = False) -> SafeString:
    """An amount as HTML: on one line, digits of equal width, to the right in columns, negative ones in red.

    In the currency's decimals, with the exact amount in the tooltip if it is finer; ``exact`` shows that one, as
    prices of single records need it.
    """
    shown = micros if micros is None or exact else payable_micros(micros, currency)
    title = "" if shown == micros else plain_money(micros, currency)
    colour = " text-red-600 dark:text-red-500" if micros is not None and micros < 0 else ""
    return format_html(
        '<span class="bss-money tabular-nums whitespace-nowrap{}"{}>{}</span>',
        colour,
        format_html(' title="{}"', title) if title else "",
        plain_money(shown, currency),
    )


def percent(millionths: int | None) -> str:
    return NOTHING if millionths is None else f"{format_micros(millionths * 100)}\u00a0%"


def usage(amount: int | None, type_of_record: str) -> str:
    """Seconds as a clock, octets in binary units, anything else as a number: ``1:02:03``, ``4.5 MiB``, ``12``."""
    if amount is None:
        return NOTHING
    if type_of_record == TypeOfRecord.VOICE:
        return clock(amount)
    if type_of_record == VOICE_NS:
        return format_nanoseconds(amount)
    if type_of_record == TypeOfRecord.DATA:
        return octets(amount)
    return grouped(amount)


def clock(seconds: int) -> str:
    hours, rest = divmod(seconds, 3600)
    minutes, left = divmod(rest, 60)
    return f"{grouped(hours)}:{minutes:02d}:{left:02d}" if hours else f"{minutes}:{left:02d}"


def octets(amount: int) -> str:
    """A volume to one decimal of the largest binary unit that fits: ``1.5 GiB``."""
    tenths, unit = amount * 10, "B"
    for larger in ("KiB", "MiB", "GiB", "TiB"):
        if tenths < 10_240:
            break
        tenths, unit = (tenths + 512) // 1024, larger
    return f"{amount}\u00a0B" if unit == "B" else f"{grouped(tenths // 10)}.{tenths % 10}\u00a0{unit}"


def instant(at: datetime | None, *, seconds: bool = False) -> SafeString | str:
    """``2026-01-31 23:59`` in the operator's current zone; the tooltip has it in full, in UTC."""
    if at is None:
        return NOTHING
    local = timezone.localtime(at)
    form = "%Y-%m-%d %H:%M:%S" if seconds else "%Y-%m-%d %H:%M"
    return format_html(
        '<span class="tabular-nums whitespace-nowrap" title="{} UTC">{}</span>',
        at.strftime("%Y-%m-%d %H:%M:%S"),
        local.strftime(form),
    )


def duration(seconds: float | None) -> str:
    """A stretch of time as people say it: ``12 s``, ``3 min 05 s``, ``2 h 10 min``."""
    if seconds is None:
        return NOTHING
    whole = round(seconds)
    if whole < 60:
        return f"{seconds:.1f}\u00a0s" if whole < 10 else f"{whole}\u00a0s"
    if whole < 3600:
        return f"{whole // 60}\u00a0min {whole % 60:02d}\u00a0s"
    return f"{whole // 3600}\u00a0h {whole % 3600 // 60:02d}\u00a0min"


def change_url(obj: Model) -> str:
    """The address of a row's page, or nothing if it has none."""
    try:
        return reverse(f"admin:{obj._meta.app_label}_{obj._meta.model_name}_change", args=(obj.pk,))
    except NoReverseMatch:
        return ""


def list_url(label: str, **filters: Any) -> str:
    """The address of a list with filters set: ``list_url("billing.bill", status="unpaid")``."""
    app, model = label.split(".")
    return reverse(f"admin:{app}_{model}_changelist") + (f"?{urlencode(filters)}" if filters else "")


def link(url: str, text: Any) -> SafeString:
    return format_html('<a class="text-link" href="{}">{}</a>', url, text) if url else format_html("{}", text)


def link_to(obj: Model | None, text: Any = None) -> SafeString | str:
    """A link to a row's page, named as the row unless ``text`` is given."""
    if obj is None:
        return NOTHING
    return link(change_url(obj), obj if text is None else text)


_PAGE_OF_CAUSE: dict[str, str] = {}


def add_cause(prefix: str, label: str) -> None:
    """Causes of ledger entries that read ``prefix:ID…`` are about rows of ``label``, such as ``billing.bill``."""
    _PAGE_OF_CAUSE[prefix] = "admin:{}_{}_change".format(*label.split("."))


def cause_link(cause: str) -> SafeString:
    """The cause of a ledger entry as a link to the session, bill or file that moved the money."""
    prefix, _, rest = cause.partition(":")
    pk = rest.partition(":")[0]
    page = _PAGE_OF_CAUSE.get(prefix)
    return link(reverse(page, args=(pk,)) if page and pk.isdecimal() else "", cause)


def badge(text: Any, colour: str = "") -> SafeString:
    """A coloured label: success, info, warning, danger, primary, or none of them (grey)."""
    return render_to_string("unfold/helpers/label.html", {"text": text, "type": colour})
