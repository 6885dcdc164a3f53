"""The admin classes that the rooms' own are made of."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

from django.contrib.admin import RelatedFieldListFilter, ShowFacets
from django.contrib.admin.utils import get_fields_from_path, unquote
from django.core.exceptions import PermissionDenied
from django.db import models
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from simple_history.admin import SimpleHistoryAdmin
from simple_history.template_utils import HistoricalRecordContextHelper
from unfold.admin import ModelAdmin, TabularInline

from apps.backoffice import display, tenancy
from apps.backoffice.actions import PageActionsMixin, tell
from apps.backoffice.bases import AdminBase
from apps.backoffice.money import MICROS_SUFFIX, MILLIONTHS_SUFFIX, MicrosField, MillionthsField, label_of
from apps.backoffice.paging import CountedOnce
from apps.backoffice.panels import facts_of, panels_of
from apps.kernel.errors import BssError


class MoneyColumnsMixin(AdminBase):
    """Shows and takes ``…_micros`` as decimals and ``…_millionths`` as percent.

    For a column ``total_micros`` there is a display called ``total`` (for ``list_display`` and ``fields``) in the
    currency found along ``currency_path``, such as ``account__currency``; in its decimals unless ``exact_money``.
    """

    currency_path = ""
    exact_money = False

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for column in self.model._meta.concrete_fields:
            for suffix in (MICROS_SUFFIX, MILLIONTHS_SUFFIX):
                name = column.name.removesuffix(suffix)
                if name != column.name and not hasattr(self, name):
                    setattr(self, name, self._shown(column, suffix))

    def currency_of(self, obj: models.Model) -> str:
        if not self.currency_path:
            return ""
        value: Any = obj
        for part in self.currency_path.split("__"):
            value = getattr(value, part, None)
        return value or ""

    def formfield_for_dbfield(self, db_field: Any, request: Any, **kwargs: Any) -> Any:
        for suffix, field_class in ((MICROS_SUFFIX, MicrosField), (MILLIONTHS_SUFFIX, MillionthsField)):
            if db_field.name.endswith(suffix):
                return field_class(
                    required=not (db_field.blank or db_field.null),
                    initial=db_field.default if db_field.has_default() else None,
                    label=label_of(db_field.name, str(db_field.verbose_name)),
                    help_text=_decimal_help(db_field, suffix),
                )
        field = super().formfield_for_dbfield(db_field, request, **kwargs)
        tenancy.narrow(request, [field])
        return field

    def _shown(self, column: models.Field[Any, Any], suffix: str) -> Callable[[models.Model], Any]:
        def shown(obj: models.Model) -> Any:
            value = getattr(obj, column.attname)
            if suffix == MILLIONTHS_SUFFIX:
                return display.percent(value)
            return display.money(value, self.currency_of(obj), exact=self.exact_money)

        shown.short_description = label_of(column.name, str(column.verbose_name))  # type: ignore[attr-defined]
        shown.admin_order_field = column.name  # type: ignore[attr-defined]
        return shown


class TenancyMixin(AdminBase):
    """Pages that show staff of some tenants nothing of another's."""

    # Rows of no tenant that the staff of all of them may look at.
    shared = False

    def get_queryset(self, request: HttpRequest) -> models.QuerySet[Any]:
        return tenancy.own(request, super().get_queryset(request))

    def has_module_permission(self, request: HttpRequest) -> bool:
        return tenancy.may_see(request, self.model) and super().has_module_permission(request)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return tenancy.may_see(request, self.model) and super().has_view_permission(request, obj)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return tenancy.may_change(request, self.model) and super().has_add_permission(request)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return tenancy.may_change(request, self.model) and super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return tenancy.may_change(request, self.model) and super().has_delete_permission(request, obj)

    def get_list_filter(self, request: HttpRequest) -> list[Any]:
        found = list(super().get_list_filter(request))
        if tenancy.tenants_of(request) is None:
            return found
        return [_narrowed(self.model, one) for one in found]


def _narrowed(model: type[models.Model], list_filter: Any) -> Any:
    if isinstance(list_filter, tuple):
        name, filter_class = list_filter
        if issubclass(filter_class, RelatedFieldListFilter):
            return name, tenancy.own_choices(filter_class)
    elif isinstance(list_filter, str) and get_fields_from_path(model, list_filter)[-1].is_relation:
        return list_filter, tenancy.own_choices(RelatedFieldListFilter)
    return list_filter


class BssAdmin(TenancyMixin, PageActionsMixin, MoneyColumnsMixin, ModelAdmin):
    """Every admin page of the product: money in decimals, action pages, panels, no surprises on large tables."""

    change_form_template = "admin/backoffice/change_form.html"
    list_per_page = 50
    list_max_show_all = 200
    # Counts beside each choice of a filter would read the whole table for each.
    show_facets = ShowFacets.NEVER
    # The count without filters would be one more scan of the whole table.
    show_full_result_count = False
    list_fullwidth = True
    compressed_fields = True
    list_filter_submit = True
    warn_unsaved_form = True
    actions: Sequence[Any] | None = ()
    # What a list without rows says besides: where rows come from.
    when_empty = ""

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> Any:
        return CountedOnce

    def get_formsets_with_inlines(self, request: HttpRequest, obj: Any = None) -> Any:
        for formset, inline in super().get_formsets_with_inlines(request, obj):
            tenancy.narrow(request, formset.form.base_fields.values())
            yield formset, inline

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> Any:
        extra_context = {**(extra_context or {})}
        if object_id and request.method == "GET":
            extra_context.update(self._panel_context(request, object_id))
        try:
            return super().changeform_view(request, object_id, form_url, extra_context)
        except BssError as error:
            # A service refused the change; nothing was saved.
            tell(request, error)
            return HttpResponseRedirect(request.get_full_path())

    def _panel_context(self, request: HttpRequest, object_id: str) -> dict[str, Any]:
        obj = self.get_object(request, unquote(object_id))
        if obj is None or not self.has_view_permission(request, obj):
            return {}
        label = self.opts.label_lower
        facts = facts_of(label, request, obj)
        panels = panels_of(label, request)
        if not panels:
            return {"facts": facts}
        wanted = request.GET.get("panel")
        shown = next((panel for panel in panels if panel.key == wanted), panels[0])
        return {
            "facts": facts,
            "panels": panels,
            "shown_panel": shown,
            "panel_table": shown.read(request, obj),
        }


class ReadOnlyMixin(AdminBase):
    """Rows that are never changed by hand, not even by a superuser: money, usage, documents, runs."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class ReadOnlyAdmin(ReadOnlyMixin, BssAdmin):
    """A list and read-only pages, with actions if there are any."""

    def render_change_form(
        self,
        request: HttpRequest,
        context: dict[str, Any],
        add: bool = False,
        change: bool = False,
        form_url: str = "",
        obj: Any = None,
    ) -> HttpResponse:
        # These rows are never changed by hand, so Django's own log of changes by hand is empty.
        context["show_history"] = isinstance(self, HistoryMixin)
        return super().render_change_form(request, context, add, change, form_url, obj)


class KeptMixin(AdminBase):
    """Rows that others refer to for ever: they are retired or ended, not deleted."""

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class _DecimalHistory(HistoricalRecordContextHelper):
    """Changes of money columns in decimals rather than micro-units."""

    def prepare_delta_change_value(self, change: Any, value: Any) -> Any:
        if isinstance(value, int) and change.field.endswith(MICROS_SUFFIX):
            return display.plain_money(value)
        if isinstance(value, int) and change.field.endswith(MILLIONTHS_SUFFIX):
            return display.percent(value)
        return super().prepare_delta_change_value(change, value)

    def format_delta_change(self, change: Any) -> Any:
        formatted = super().format_delta_change(change)
        column = self.model._meta.get_field(change.field)
        return dataclasses.replace(formatted, field=label_of(column.name, str(column.verbose_name)))


class HistoryMixin(SimpleHistoryAdmin):
    """The history of a row, to look at: going back to an old state by hand would bypass the services."""

    def get_historical_record_context_helper(self, request: HttpRequest, historical_record: Any) -> Any:
        return _DecimalHistory(self.model, historical_record)

    def get_history_queryset(
        self, request: HttpRequest, history_manager: Any, pk_name: str, object_id: Any
    ) -> Any:
        found = super().get_history_queryset(request, history_manager, pk_name, object_id)
        return tenancy.own_history(request, self.model, found)

    def history_form_view(
        self, request: HttpRequest, object_id: str, version_id: str, extra_context: Any = None
    ) -> Any:
        if request.method not in ("GET", "HEAD"):
            return HttpResponseNotAllowed(["GET", "HEAD"])
        history = getattr(self.model, self.model._meta.simple_history_manager_attribute)
        versions = history.filter(history_id=version_id)
        if not tenancy.own_history(request, self.model, versions).exists():
            raise Http404
        return super().history_form_view(request, object_id, version_id, extra_context)

    def revert_disabled(self, request: HttpRequest, obj: Any = None) -> bool:
        return True


class HistoryAdmin(HistoryMixin, BssAdmin):
    """Rows that are changed by hand, with their history."""


class MoneyInline(MoneyColumnsMixin, TabularInline):
    """Rows of another table that are edited with the page."""

    extra = 0


_PLAIN_WORDS = (
    ("Micro-units of the currency a month.", "A month."),
    ("Micro-units for", "For"),
    ("Micro-units", "Amount"),
)


def _decimal_help(column: models.Field[Any, Any], suffix: str) -> str:
    text = str(column.help_text)
    if suffix == MILLIONTHS_SUFFIX:
        return "In percent, such as 19 or 7.5."
    for raw, plain in _PLAIN_WORDS:
        text = text.replace(raw, plain)
    return text


def require(request: HttpRequest, *permissions: str) -> None:
    """Raise PermissionDenied unless the person has all these permissions (``app.codename``)."""
    if not request.user.has_perms(permissions):
        raise PermissionDenied


def get_or_404(queryset: models.QuerySet[Any], pk: Any) -> Any:
    try:
        return queryset.get(pk=pk)
    except (queryset.model.DoesNotExist, ValueError):
        raise Http404 from None
