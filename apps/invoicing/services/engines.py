"""The PDF engines behind one function: HTML and its style sheet in, the bytes of a PDF out.

Engines are imported when they are first needed, since each takes a while and needs libraries of the system. One
instance a process keeps what can be reused: fonts found, style sheet parsed. Neither fetches anything but data: URLs.
"""

from __future__ import annotations

import io
import warnings
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Protocol

from apps.kernel.errors import BssError

WEASYPRINT, PLUTOPRINT = "weasyprint", "plutoprint"
FONT_PACKAGE = "fonts-dejavu-core"
WEASYPRINT_LIBRARIES = "libpango-1.0-0 libpangoft2-1.0-0 libharfbuzz-subset0"


class EngineUnusable(BssError):
    """This machine cannot render PDFs now; the message names what to install. It is no bill's fault."""

    code = "pdf_engine_unusable"


@dataclass(frozen=True, slots=True)
class DocumentProperties:
    """What a PDF's properties say of it; ``created`` is an ISO 8601 day."""

    title: str
    author: str
    subject: str
    created: str


class PdfEngine(Protocol):
    """Renders one document after the other; raises EngineUnusable when made, not later."""

    name: str

    def render(self, html: str, properties: DocumentProperties) -> bytes: ...


def no_font() -> EngineUnusable:
    return EngineUnusable(
        f"no font is installed, so every page would be blank. Install one: apt-get install {FONT_PACKAGE}",
        code="font_missing",
    )


@lru_cache(maxsize=4)
def engine_named(name: str, style: str) -> PdfEngine:
    """The engine of that name, ready, with the style sheet. Raises EngineUnusable with what to do."""
    if name == WEASYPRINT:
        return WeasyPrintEngine(style)
    if name == PLUTOPRINT:
        return PlutoPrintEngine(style)
    raise EngineUnusable(
        f"“{name}” is no PDF engine; set BSS_PDF_ENGINE to {WEASYPRINT} or {PLUTOPRINT}", where="PDF_ENGINE"
    )


class WeasyPrintEngine:
    """WeasyPrint: the default; the only one for PDF/A."""

    name = WEASYPRINT

    def __init__(self, style: str) -> None:
        try:
            with warnings.catch_warnings():
                # Of missing fonts, which are an error here.
                warnings.simplefilter("ignore")
                import weasyprint
                from weasyprint.text.fonts import FontConfiguration
                from weasyprint.urls import URLFetcher
        except ImportError as error:
            raise EngineUnusable(f"WeasyPrint is not installed ({error}); run ./run manage again") from error
        except OSError as error:
            raise EngineUnusable(
                f"WeasyPrint does not find a library it needs. Install: apt-get install {WEASYPRINT_LIBRARIES} "
                f"{FONT_PACKAGE} ({error})"
            ) from error
        # Without a font Pango ends the whole process at the first word, so this is the last chance to say so.
        if not _fonts_known_to_fontconfig():
            raise no_font()
        self._fonts = FontConfiguration()
        self._html = weasyprint.HTML
        self._fetcher = URLFetcher(allowed_protocols=("data",), allow_redirects=False)
        self._style = weasyprint.CSS(string=style, font_config=self._fonts, url_fetcher=self._fetcher)

    def render(self, html: str, properties: DocumentProperties) -> bytes:
        """The PDF; its properties come from the document's own title and meta elements."""
        document = self._html(string=html, url_fetcher=self._fetcher, base_url=None)
        pdf: bytes = document.write_pdf(stylesheets=[self._style], font_config=self._fonts)
        return pdf


def _fonts_known_to_fontconfig() -> int:
    """How many fonts fontconfig finds, asked in the way WeasyPrint itself asks when it is imported."""
    from weasyprint.text.ffi import ffi, fontconfig

    configuration = ffi.gc(fontconfig.FcInitLoadConfigAndFonts(), fontconfig.FcConfigDestroy)
    fonts = fontconfig.FcConfigGetFonts(configuration, fontconfig.FcSetSystem)
    return 0 if fonts == ffi.NULL else int(fonts.nfont)


class PlutoPrintEngine:
    """PlutoPrint (PlutoBook): twenty times as fast, without PDF/A and attachments."""

    name = PLUTOPRINT

    def __init__(self, style: str) -> None:
        try:
            import plutoprint
        except ImportError as error:
            raise EngineUnusable(
                f"PlutoPrint is not installed ({error}); it is in requirements-production.lock: "
                "uv pip install plutoprint"
            ) from error
        self._pluto: Any = plutoprint
        # It would cut a row of a table in two at the end of a page; WeasyPrint does not, and would pay for the rule.
        self._style = f"{style}\ntr {{ break-inside: avoid; }}"
        self._fetcher = _only_data_urls(plutoprint)
        if b"/BaseFont" not in self._write("<p>Bill</p>"):
            raise no_font()

    def render(self, html: str, properties: DocumentProperties) -> bytes:
        return self._write(html, properties)

    def _write(self, html: str, properties: DocumentProperties | None = None) -> bytes:
        pluto = self._pluto
        book = pluto.Book(pluto.PAGE_SIZE_A4)
        book.custom_resource_fetcher = self._fetcher
        # Loading sets properties of its own, so ours come after it.
        book.load_html(html, user_style=self._style)
        if properties is not None:
            book.set_metadata(pluto.PDF_METADATA_TITLE, properties.title)
            book.set_metadata(pluto.PDF_METADATA_AUTHOR, properties.author)
            book.set_metadata(pluto.PDF_METADATA_SUBJECT, properties.subject)
            for which in (pluto.PDF_METADATA_CREATION_DATE, pluto.PDF_METADATA_MODIFICATION_DATE):
                book.set_metadata(which, f"{properties.created}T00:00:00Z")
        stream = io.BytesIO()
        book.write_to_pdf_stream(stream)
        return stream.getvalue()


def _only_data_urls(plutoprint: Any) -> Any:
    class DataUrlFetcher(plutoprint.ResourceFetcher):
        def fetch_url(self, url: str) -> Any:
            if not url.startswith("data:"):
                raise ValueError(f"{url[:80]} is not fetched: bills hold all that they show")
            return plutoprint.default_resource_fetcher.fetch_url(url)

    return DataUrlFetcher()
