"""Documents of bills: to look at, and to open in the browser."""

from __future__ import annotations

from django.contrib import admin
from django.http import FileResponse, Http404, HttpRequest
from django.urls import URLPattern, path, reverse
from django.utils.safestring import SafeString
from unfold.decorators import display

from apps.backoffice.admins import ReadOnlyAdmin, get_or_404, require
from apps.backoffice.display import instant, link, link_to, octets
from apps.backoffice.paging import InfinitePaginator
from apps.invoicing.models import BillDocument
from apps.invoicing.services.document_files import path_of
from apps.kernel.errors import BssError


def open_url(document: BillDocument) -> str:
    return reverse("admin:invoicing_billdocument_open", args=(document.pk,))


@admin.register(BillDocument)
class BillDocumentAdmin(ReadOnlyAdmin):
    list_display = ("path_label", "bill_link", "revision", "size", "engine", "rendered", "requested_by")
    list_display_links = ("path_label",)
    list_select_related = ("bill",)
    search_fields = ("=bill__number",)
    search_help_text = "Bill's number, in full"
    ordering = ("-pk",)
    paginator = InfinitePaginator
    fields = (
        ("bill_link", "revision"),
        ("path_label", "open_link"),
        ("size", "engine"),
        ("rendered", "sha256"),
        ("reason", "requested_by"),
    )

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.open_view)
        return [
            path("<int:document_id>/open/", view, name="invoicing_billdocument_open"),
            *super().get_urls(),
        ]

    def open_view(self, request: HttpRequest, document_id: int) -> FileResponse:
        """The PDF itself, for the browser to show. Only what lies within the invoices folder is ever sent."""
        require(request, "invoicing.view_billdocument")
        document = get_or_404(self.get_queryset(request).select_related("bill"), document_id)
        try:
            file = path_of(document.path).open("rb")
        except (BssError, OSError):
            raise Http404(
                f"The file of {document.bill} is not in the invoices folder any more; re-issue the bill."
            ) from None
        later = f"-{document.revision}" if document.revision > 1 else ""
        name = f"{document.bill.number}{later}.pdf"
        response = FileResponse(file, content_type="application/pdf", filename=name)
        # Shown within the bill's own page, and not cached on the way.
        response["X-Frame-Options"] = "SAMEORIGIN"
        response["Cache-Control"] = "private, no-store"
        response["X-Content-Type-Options"] = "nosniff"
        return response

    @display(description="File", ordering="path")
    def path_label(self, document: BillDocument) -> str:
        return document.path or "lost"

    @display(description="Bill")
    def bill_link(self, document: BillDocument) -> SafeString | str:
        return link_to(document.bill)

    @display(description="Size")
    def size(self, document: BillDocument) -> str:
        return octets(document.size_octets)

    @display(description="Written", ordering="rendered_at")
    def rendered(self, document: BillDocument) -> SafeString | str:
        return instant(document.rendered_at, seconds=True)

    @display(description="PDF")
    def open_link(self, document: BillDocument) -> SafeString | str:
        return link(open_url(document), "Open") if document.path else "–"
