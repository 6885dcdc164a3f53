"""Forms of action pages, in the admin's look."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.admin.widgets import AutocompleteSelect
from django.db.models import Field, QuerySet
from django.utils import timezone
from unfold import widgets

_WIDGETS: tuple[tuple[type[forms.Widget], type[forms.Widget]], ...] = (
    (forms.Textarea, widgets.UnfoldAdminTextareaWidget),
    (forms.CheckboxInput, widgets.UnfoldBooleanWidget),
    (forms.NumberInput, widgets.UnfoldAdminIntegerFieldWidget),
    (forms.EmailInput, widgets.UnfoldAdminEmailInputWidget),
    (forms.PasswordInput, widgets.UnfoldAdminPasswordWidget),
    (forms.DateInput, widgets.UnfoldAdminSingleDateWidget),
    (forms.SplitDateTimeWidget, widgets.UnfoldAdminSplitDateTimeWidget),
    (forms.TextInput, widgets.UnfoldAdminTextInputWidget),
    # Unfold's script writes the name of a chosen file into the first text field that it finds: this widget has its own.
    (forms.FileInput, widgets.UnfoldAdminFileFieldWidget),
)


class ActionForm(forms.Form):
    """A form whose plain widgets are dressed as the admin's; ``obj`` is what the action is about, if anything."""

    def __init__(self, *args: Any, obj: Any = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.obj = obj
        self.prepare()
        for field in self.fields.values():
            _dress(field)

    def prepare(self) -> None:
        """Narrow choices and set what stands in the fields at first, by ``self.obj``."""

    def offer(self, name: str, rows: QuerySet[Any]) -> None:
        """Let the field choose among these rows."""
        field = self.fields[name]
        assert isinstance(field, forms.ModelChoiceField)
        field.queryset = rows


class NoInput(ActionForm):
    """An action that only asks whether to go on."""


class SearchWidget(AutocompleteSelect):
    """Django's widget that asks the server while typing, dressed as unfold's."""

    def __init__(self, owner: Field[Any, Any]) -> None:
        super().__init__(owner, admin.site, attrs={"class": "unfold-admin-autocomplete admin-autocomplete"})

    @property
    def media(self) -> forms.Media:
        # It needs django.jQuery, which this file makes of jQuery once select2 is there.
        return super().media + forms.Media(js=("admin/js/jquery.init.js", "unfold/js/select2.init.js"))


class SearchedChoiceField(forms.ModelChoiceField):  # type: ignore[type-arg]
    """A choice among many rows, found while typing; ``owner`` is a column that points to such rows.

    The rows' own admin must have ``search_fields``, and the person the permission to view them.
    """

    def __init__(self, owner: Field[Any, Any], **kwargs: Any) -> None:
        model: Any = owner.related_model
        kwargs.setdefault("queryset", model._default_manager.all())
        super().__init__(widget=SearchWidget(owner), **kwargs)


class InstantField(forms.SplitDateTimeField):
    """A date and a time of day in the zone in which the admin tells the time; an aware instant in UTC.

    Its label ends with the zone's name.
    """

    def get_bound_field(self, form: forms.BaseForm, field_name: str) -> forms.BoundField:
        bound = super().get_bound_field(form, field_name)
        bound.label = f"{bound.label} ({timezone.get_current_timezone_name()})"
        return bound

    def compress(self, data_list: Any) -> datetime | None:
        value = super().compress(data_list)
        return value.astimezone(UTC) if value else None


def _dress(field: forms.Field) -> None:
    widget = field.widget
    if type(widget).__module__.startswith(("unfold", "apps.")) or widget.is_hidden:
        return
    if isinstance(widget, forms.SelectMultiple):
        dressed: forms.Widget = widgets.UnfoldAdminCheckboxSelectMultipleWidget(choices=widget.choices)
    elif isinstance(widget, forms.Select):
        dressed = widgets.UnfoldAdminSelectWidget(choices=widget.choices)
    else:
        for plain, nicer in _WIDGETS:
            if isinstance(widget, plain):
                dressed = nicer(attrs=dict(widget.attrs))
                break
        else:
            return
    dressed.is_required = widget.is_required
    field.widget = dressed
