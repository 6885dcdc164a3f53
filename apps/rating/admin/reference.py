"""Pages of reference data that prices depend on: saving publishes a new tariff version."""

from __future__ import annotations

from unfold.contrib.filters.admin import DropdownFilter
from unfold.decorators import display

from apps.backoffice.actions import PageAction
from apps.backoffice.admins import HistoryAdmin, KeptMixin
from apps.backoffice.display import badge


class RetiredFilter(DropdownFilter):
    title = "state"
    parameter_name = "retired"

    def lookups(self, request, model_admin):
        return [("no", "In sale"), ("yes", "Retired")]

    def queryset(self, request, queryset):
        if self.value() == "no":
            return queryset.filter(retired_at=None)
        return queryset.exclude(retired_at=None) if self.value() == "yes" else queryset


class ReferenceAdmin(KeptMixin, HistoryAdmin):
    """What prices are made of. A change is published as one new tariff version when it is committed."""

    @display(description="State")
    def retired_label(self, obj):
        if getattr(obj, "retired_at", None) is None:
            return badge("In sale", "success")
        return badge(f"Retired {obj.retired_at:%Y-%m-%d}")


def retire_actions(permission: str) -> tuple[PageAction, ...]:
    return ()
