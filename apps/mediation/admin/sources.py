"""Sources of usage files: their options are checked when they are written, not when a file has come."""

from __future__ import annotations

import json
from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from unfold.widgets import UnfoldAdminSelectWidget

from apps.backoffice.admins import HistoryAdmin, KeptMixin, ReadOnlyAdmin
from apps.backoffice.panels import Panel, Table, add_panel
from apps.kernel.errors import InvalidInputs
from apps.mediation.formats import format_named, formats
from apps.mediation.models import RatedDestination, Source


class SourceForm(forms.ModelForm):  # type: ignore[type-arg]  # Generic for type checkers alone.
    # Asked for when a page is opened: a process that opens none need not load the formats.
    format = forms.ChoiceField(
        choices=lambda: [(name, format_.title) for name, format_ in sorted(formats().items())],
        widget=UnfoldAdminSelectWidget,
    )

    def clean(self) -> dict[str, Any]:
        found = super().clean() or self.cleaned_data
        if "format" in found and "options" in found:
            try:
                format_named(found["format"]).options(found["options"] or {})
            except InvalidInputs as error:
                for problem in error.problems:
                    self.add_error("options", f"{problem.where.removeprefix('options.')}: {problem.message}.")
        return found


@admin.register(Source)
class SourceAdmin(KeptMixin, HistoryAdmin):
    form = SourceForm
    list_display = ("code", "name", "format", "file_pattern")
    search_fields = ("code", "name")
    ordering = ("code",)
    fields = (("code", "name"), ("format", "file_pattern"), "options")

    def get_form(
        self, request: HttpRequest, obj: Any | None = None, change: bool = False, **kwargs: Any
    ) -> Any:
        """The options of a saved source are listed below it; a new one's are named."""
        form = super().get_form(request, obj, change, **kwargs)
        if obj is None and "options" in form.base_fields:
            form.base_fields["options"].help_text = " ".join(
                f"{format_.title}: {', '.join(option.name for option in format_.described_options()) or 'none'}."
                for _, format_ in sorted(formats().items())
            )
        return form


def possible_options(request: HttpRequest, source: Source) -> Table:
    """What the options of the source's format may be."""
    return Table(
        ("Option", "May be", "Unless given"),
        [
            (option.name, option.meaning, json.dumps(option.default, default=str))
            for option in format_named(source.format).described_options()
        ],
        "The format has no options.",
    )


add_panel(
    "mediation.source",
    Panel("options", "Options of its format", possible_options, ("mediation.view_source",), 10),
)


@admin.register(RatedDestination)
class RatedDestinationAdmin(ReadOnlyAdmin):
    """Not in the navigation: here so that filters by destination can be typed."""

    list_display = ("tag",)
    search_fields = ("tag__startswith",)
    ordering = ("tag",)
    fields = ("tag",)

    def has_module_permission(self, request: HttpRequest) -> bool:
        return False
