"""What invoicing adds to a bill's page: its document, former revisions, and issuing it again."""

from __future__ import annotations

from django import forms
from django.http import HttpRequest
from django.template.loader import render_to_string

from apps.backoffice.actions import PageAction, add_action
from apps.backoffice.display import instant, link, link_to, octets
from apps.backoffice.forms import ActionForm
from apps.backoffice.panels import Panel, Table, add_panel
from apps.billing.models import Bill
from apps.invoicing.admin.documents import open_url
from apps.invoicing.models import BillDocument, BillRendering
from apps.invoicing.services.reissues import request_reissue
from apps.kernel.clock import utc_now

VIEW = ("invoicing.view_billdocument",)


def document(request: HttpRequest, bill: Bill) -> Table:
    """The revisions with the newest shown, or how far its writing is."""
    rows = list(bill.documents.select_related("bill").order_by("-revision"))
    rendering = BillRendering.objects.filter(pk=bill.pk).first()
    return Table(
        ("Revision", "File", "Size", "Written", "Engine", "Reason", ""),
        [
            (
                link_to(row, row.revision),
                row.path or "lost",
                octets(row.size_octets),
                instant(row.rendered_at),
                row.engine,
                ", ".join(part for part in (row.reason, row.requested_by) if part) or "–",
                link(open_url(row), "Open PDF") if row.path else "",
            )
            for row in rows
        ],
        "No document yet: it is written within seconds while the workers run.",
        (0, 2),
        note=_news(rendering),
        below=_viewer(next((row for row in rows if row.path), None)),
    )


def _news(rendering: BillRendering | None) -> str:
    if rendering is None:
        return ""
    if rendering.given_up_at is not None:
        return f"Given up after {rendering.attempts} attempts: {rendering.error} Re-issue it once that is mended."
    if rendering.error:
        return f"It could not be written and is tried again: {rendering.error}"
    if rendering.requested_at is not None:
        return "It is going to be issued again within seconds."
    return "It is being written."


def _viewer(row: BillDocument | None) -> str:
    if row is None:
        return ""
    return render_to_string("admin/billing/bill/document.html", {"url": open_url(row), "bill": row.bill})


class ReissueForm(ActionForm):
    reason = forms.CharField(
        max_length=200, help_text="Kept with the new revision, such as: address corrected."
    )


def reissue(request: HttpRequest, bill: Bill, form: ReissueForm) -> str:
    request_reissue([bill.pk], form.cleaned_data["reason"], request.user.get_username(), utc_now())
    return f"{bill} is issued again within seconds; the former document is kept."


add_panel("billing.bill", Panel("document", "Document", document, VIEW, 10))
add_action(
    "billing.bill",
    PageAction(
        "reissue",
        "Re-issue",
        ("invoicing.add_billdocument",),
        reissue,
        ReissueForm,
        icon="replay",
        explain=lambda bill: (
            f"Writes the document of {bill} again, with what customer and operator are called today. Its amounts "
            "do not change, and the former document is kept as a revision."
        ),
    ),
)
