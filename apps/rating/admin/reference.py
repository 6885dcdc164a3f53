"""Pages of reference data that prices depend on: saving publishes a new tariff version."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib import messages
from django.contrib.admin import ModelAdmin
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.contrib.filters.admin import DropdownFilter
from unfold.decorators import display

from apps.backoffice.actions import PageAction, tell
from apps.backoffice.admins import HistoryAdmin, KeptMixin
from apps.backoffice.display import badge
from apps.backoffice.forms import ActionForm
from apps.kernel.clock import utc_now
from apps.kernel.errors import BssError
from apps.rating.models import TariffVersion
from apps.rating.services.publishing import publish_on_commit
from apps.rating.services.retiring import bring_back, retire


def publish_and_tell(request: HttpRequest, note: str) -> None:
    """Publish the tariff once what this request does is committed, and say which version came of it."""
    before = _newest_version()
    refused: list[bool] = []

    def on_error(error: BssError) -> None:
        refused.append(True)
        messages.warning(
            request,
            "It is saved, but the rows make no valid tariff now; prices stay as they were "
            f"(version {before or 'none'}) until that is corrected.",
        )
        tell(request, error)

    def report() -> None:
        if refused:
            return
        now = _newest_version()
        if now == before:
            messages.info(request, f"Prices are as before (tariff version {now or 'none'}).")
        else:
            messages.success(
                request, f"Tariff version {now} is in force; every process has it within a minute."
            )

    publish_on_commit(utc_now(), note, by=request.user.get_username(), on_error=on_error)
    if not getattr(request, "bss_publication_told", False):
        request.bss_publication_told = True  # type: ignore[attr-defined]
        transaction.on_commit(report)


def _newest_version() -> int | None:
    return TariffVersion.objects.order_by("-pk").values_list("pk", flat=True).first()


class RetiredFilter(DropdownFilter):
    title = "state"
    parameter_name = "retired"

    def lookups(self, request: HttpRequest, model_admin: ModelAdmin[Any]) -> list[tuple[str, str]]:
        return [("no", "On sale"), ("yes", "Retired")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() == "no":
            return queryset.filter(retired_at=None)
        return queryset.exclude(retired_at=None) if self.value() == "yes" else queryset


class TariffAdmin(HistoryAdmin):
    """Rows that prices are made of. Each commit publishes its changes as one version."""

    # Whether they change by drafts only if a second person publishes tariffs (``RATING_MAKER_CHECKER``).
    by_drafts = True

    def has_add_permission(self, request: HttpRequest) -> bool:
        return not self._drafts_only() and super().has_add_permission(request)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return not self._drafts_only() and super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return not self._drafts_only() and super().has_delete_permission(request, obj)

    def _drafts_only(self) -> bool:
        return self.by_drafts and settings.RATING_MAKER_CHECKER

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        super().save_related(request, form, formsets, change)
        publish_and_tell(request, f"{self.opts.verbose_name} {form.instance}")

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        name = str(obj)
        super().delete_model(request, obj)
        publish_and_tell(request, f"deleted {self.opts.verbose_name} {name}")

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        count = queryset.count()
        with transaction.atomic():
            super().delete_queryset(request, queryset)
            publish_and_tell(request, f"deleted {count} {self.opts.verbose_name_plural}")


class ReferenceAdmin(KeptMixin, TariffAdmin):
    """What records and bills refer to for ever: retired rather than deleted."""

    by_drafts = False

    @display(description="State")
    def retired_label(self, obj: Any) -> str:
        if getattr(obj, "retired_at", None) is None:
            return badge("On sale", "success")
        return badge(f"Retired {obj.retired_at:%Y-%m-%d}")


def _retire(request: HttpRequest, obj: Any, form: ActionForm) -> str:
    retire(obj, utc_now())
    publish_and_tell(request, f"retired {obj}")
    return f"{obj} is retired: it is sold no more."


def _bring_back(request: HttpRequest, obj: Any, form: ActionForm) -> str:
    bring_back(obj)
    publish_and_tell(request, f"brought back {obj}")
    return f"{obj} is on sale again."


def retire_actions(permission: str) -> tuple[PageAction, ...]:
    """Retire, and bring back, for a model with ``retired_at``."""
    return (
        PageAction(
            "retire",
            "Retire",
            (permission,),
            _retire,
            icon="block",
            offered=lambda obj: obj.retired_at is None,
            explain=lambda obj: (
                f"{obj} is sold no more. Objects in use cannot be retired; you will be told what uses it."
            ),
        ),
        PageAction(
            "bring-back",
            "Bring back",
            (permission,),
            _bring_back,
            icon="undo",
            offered=lambda obj: obj.retired_at is not None,
            explain=lambda obj: f"{obj} is sold again.",
        ),
    )
