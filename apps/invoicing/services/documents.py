"""From a bill's context to its document: HTML by the template of its kind, PDF by the engine of the settings."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from django.conf import settings
from django.template.loader import get_template, render_to_string

from apps.invoicing.domain.context import BillContext
from apps.invoicing.services.engines import DocumentProperties, PdfEngine, engine_named

STYLE_TEMPLATE = "invoicing/bill.css"


@cache
def style_sheet() -> str:
    """The style sheet of both templates."""
    return render_to_string(STYLE_TEMPLATE)


def pdf_engine(name: str = "") -> PdfEngine:
    """The engine of the settings (or the named one), made once a process. Raises EngineUnusable."""
    return engine_named(name or settings.PDF_ENGINE, style_sheet())


def bill_html(context: BillContext) -> str:
    """The document as HTML, without its style sheet; what customers wrote is escaped."""
    values: Mapping[str, Any] = context
    return str(get_template(f"{context['account']['kind']}.html").render(dict(values)))


def bill_pdf(context: BillContext, engine: PdfEngine) -> bytes:
    """The document as PDF."""
    return engine.render(bill_html(context), properties_of(context))


def properties_of(context: BillContext) -> DocumentProperties:
    return DocumentProperties(
        title=f"{context['title']} – {context['customer']['name']}",
        author=context["letterhead"]["name"],
        subject=f"{context['number_label']} {context['bill_number']}",
        created=context["created"],
    )
