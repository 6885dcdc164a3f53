"""The documents themselves, by both engines, as a reader's program sees them."""

from __future__ import annotations

import base64
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from apps.invoicing.domain.bill_data import Recipient
from apps.invoicing.domain.context_builder import build_context
from apps.invoicing.services.documents import bill_html, bill_pdf, pdf_engine, properties_of
from apps.invoicing.services.engines import EngineUnusable, PlutoPrintEngine, WeasyPrintEngine
from tests.invoicing.pdf import pages_of, text_of
from tests.invoicing.pdf import properties_of as properties_in
from tests.invoicing.samples import history_of, postpaid_bill, prepaid_bill, records

ENGINES = ("weasyprint", "plutoprint")
ROOT = Path(__file__).resolve().parents[2]


def context_of(bill, found, limit: int = 5_000):
    return build_context(bill, history_of(found, limit))


def pdf_of(engine: str, bill, found, limit: int = 5_000) -> bytes:
    return bill_pdf(context_of(bill, found, limit), pdf_engine(engine))


@pytest.fixture(scope="module", params=ENGINES)
def engine(request) -> str:
    return request.param


@pytest.fixture(scope="module")
def postpaid(engine: str) -> tuple[dict[str, Any], bytes]:
    found = records(70)
    bill = postpaid_bill(found)
    return context_of(bill, found), pdf_of(engine, bill, found)  # type: ignore[return-value]


def test_a_bill_says_who_owes_what_to_whom_until_when(postpaid):
    context, pdf = postpaid
    first = pages_of(pdf)[0]
    for expected in (
        "Nordlicht Mobil GmbH",
        "Elisabeth Ångström",
        "20095 Hamburg",
        "2026-0004711",
        "1–31 Jan 2026",
        "Bill for January 2026",
        context["summary"]["due_with_currency"],
        "15 February 2026",
        "IBAN DE00",
        "DE000000000",
        "Usage charges a day",
    ):
        assert expected in first, expected


def test_every_page_has_its_number_and_the_running_lines(postpaid):
    _, pdf = postpaid
    pages = pages_of(pdf)
    assert len(pages) == int(properties_in(pdf)["Pages"]) > 2
    for number, page in enumerate(pages, 1):
        assert re.search(rf"Page {number} of {len(pages)}\b", page)
        assert "Tax number DE000000000" in page
        assert ("Bill number 2026-0004711" in page) == (number > 1)


def test_every_record_is_a_line_and_the_lines_add_up_to_the_total_printed_below(postpaid):
    context, pdf = postpaid
    text = text_of(pdf)
    for group in context["history"]["groups"]:
        sums = Decimal(0)
        for row in group["rows"]:
            pattern = rf"{re.escape(row['when'])} +{re.escape(row['other_party'])} .*? (\d[\d,.]*)$"
            found = re.search(pattern, text, re.MULTILINE)
            assert found, row
            sums += Decimal(found[1].replace(",", ""))
        total = re.search(rf"{re.escape(group['total_label'])} +(\d[\d,.]*)$", text, re.MULTILINE)
        assert total
        assert Decimal(total[1].replace(",", "")) == sums


def test_a_long_bill_goes_over_pages_with_its_heads_on_each(engine: str):
    found = records(1_200)
    context = context_of(postpaid_bill(found), found)
    pages = pages_of(bill_pdf(context, pdf_engine(engine)))
    assert len(pages) > 12
    heads = re.compile(r"Date and time +Number or access point +Destination +(Duration|Quantity|Volume MB) ")
    lines = re.compile(r"^ *\d\d/\d\d/2026 \d\d:\d\d:\d\d ", re.MULTILINE)
    listed = [page for page in pages if lines.search(page)]
    assert all(heads.search(page) and "Itemised usage · " in page for page in listed)
    assert sum(len(lines.findall(page)) for page in pages) == 1_200
    # A page is used: only where a group ends is there room left.
    assert sum(len(lines.findall(page)) > 50 for page in listed) >= len(listed) - 4


def test_a_list_that_is_cut_says_so_in_the_document(engine: str):
    found = records(100)
    text = text_of(pdf_of(engine, postpaid_bill(found), found, 30))
    assert "shows the first 30 records" in text
    assert len(re.findall(r"further records", text)) >= 1


@pytest.mark.parametrize(
    ("locale", "words"),
    [
        (
            "de_DE",
            [
                "Rechnung für Januar 2026",
                "Zu zahlen",
                "Einzelverbindungsnachweis",
                "Seite 1 von",
                "1. Februar",
            ],
        ),
        (
            "fr_FR",
            [
                "Facture – janvier 2026",
                "Montant à payer",
                "Consommations détaillées",
                "Page 1 sur",
                "1 février",
            ],
        ),
    ],
)
def test_a_bill_is_in_its_readers_language(engine: str, locale: str, words: list[str]):
    found = records(20)
    bill = postpaid_bill(found, locale=locale)
    text = text_of(pdf_of(engine, bill, found))
    for word in [*words, context_of(bill, found)["summary"]["due_with_currency"].replace("\u202f", " ")]:
        assert word.replace("\u00a0", " ") in text, word


def test_a_statement_shows_the_balance_from_opening_to_closing(engine: str):
    found = records(20)
    context = context_of(prepaid_bill(found), found)
    pdf = bill_pdf(context, pdf_engine(engine))
    text = text_of(pdf)
    balance = context["balance"]
    assert "Balance history" in text
    assert "There is nothing to pay." in " ".join(text_of(pdf, layout=False).split())
    assert "Please pay" not in text
    for expected in ("Voucher 4003", "Top-up", balance["closing_with_currency"]):
        assert expected in text
    assert re.search(rf"Opening balance +{re.escape(balance['text_opening'].split()[-1])}", text)
    assert re.search(rf"Closing balance +{re.escape(balance['text_closing'].split()[-1])}", text)


def test_the_documents_properties_tell_what_it_is(engine: str, postpaid):
    _, pdf = postpaid
    found = properties_in(pdf)
    assert found["Title"] == "Bill for January 2026 – Elisabeth Ångström"
    assert found["Author"] == "Nordlicht Mobil GmbH"
    assert found["Subject"] == "Bill number 2026-0004711"
    assert found["CreationDate"].startswith("Sun Feb  1")
    assert found["Page size"].startswith("59")
    assert "A4" in found["Page size"]
    if engine == "weasyprint":
        assert b"/Lang" in pdf or "en" in bill_html(postpaid[0])[:60]


def test_the_same_bill_gives_the_same_bytes(engine: str):
    found = records(10)
    assert pdf_of(engine, postpaid_bill(found), found) == pdf_of(engine, postpaid_bill(found), found)


def test_no_page_is_lost_to_ligatures(engine: str):
    found = records(3)
    bill = replace(
        postpaid_bill(found), recipient=Recipient("1", "Office Fflint & Söhne ffi fl", "Fjällgatan")
    )
    assert "Office Fflint & Söhne ffi fl" in text_of(pdf_of(engine, bill, found))


HOSTILE = '<img src="http://127.0.0.1:9/x.png"><script>alert(1)</script> & "Söhne" </td></table>'


def test_what_customers_and_networks_write_is_text(engine: str):
    found = [
        record._replace(other_party="<b>1</b>&amp;", destination="</td>{{ labels }}") for record in records(3)
    ]
    bill = postpaid_bill(found)
    bill = replace(
        bill,
        recipient=Recipient("<i>", HOSTILE, HOSTILE),
        subscribers={1: "<u>line</u>"},
        lines=tuple(line._replace(description=f"{line.description}<hr>") for line in bill.lines),
    )
    context = context_of(bill, found)
    html = bill_html(context)
    for tag in ("<img", "<script", "<hr>", "<u>", "<b>1</b>", "<i>"):
        assert tag not in html, tag
    text = text_of(bill_pdf(context, pdf_engine(engine)), layout=False)
    assert "<script>alert(1)</script>" in re.sub(r"\s+", "", text)
    assert "<b>1</b>&amp;" in text
    assert "{{ labels }}" in text


PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg=="


@pytest.fixture
def picture_server() -> Iterator[tuple[str, list[str]]]:
    """A server on loopback that has a picture for every path, and the paths it was asked for."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(200)
            self.send_header("Content-Type", "image/png")
            self.end_headers()
            self.wfile.write(base64.b64decode(PIXEL))

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", asked
        server.shutdown()
        thread.join()


def pictures_in(pdf: bytes) -> int:
    done = subprocess.run(["pdfimages", "-list", "-"], input=pdf, stdout=subprocess.PIPE, check=True)
    return len(done.stdout.decode().splitlines()) - 2


def rendered(engine: str, markup: str) -> bytes:
    found = records(1)
    properties = properties_of(context_of(postpaid_bill(found), found))
    return pdf_engine(engine).render(f"<html><body>{markup}<p>Still here", properties)


@pytest.mark.parametrize(
    "markup",
    [
        '<img src="{url}/x.png" width="40" height="40">',
        '<link rel="stylesheet" href="{url}/x.css">',
        '<style>@import url("{url}/x.css"); body {{ background: url({url}/y.png) }}</style>',
        '<svg width="9" height="9"><image href="{url}/x.png" width="9" height="9"/></svg>',
        '<object data="{url}/x.png"></object><embed src="{url}/x.png">',
    ],
)
def test_an_engine_fetches_nothing_that_a_document_names(
    engine: str, markup: str, picture_server, tmp_path: Path
):
    url, asked = picture_server
    for name in ("x.png", "y.png", "x.css"):
        (tmp_path / name).write_bytes(base64.b64decode(PIXEL))
    for place in (url, tmp_path.as_uri()):
        pdf = rendered(engine, markup.format(url=place))
        assert "Still here" in text_of(pdf)
        assert pictures_in(pdf) == 0
    assert asked == []


def test_a_data_url_is_shown(engine: str):
    pdf = rendered(engine, f'<img src="data:image/png;base64,{PIXEL}" width="40" height="40">')
    assert pictures_in(pdf) > 0


NO_FONT = """
import sys
from apps.invoicing.services import engines
try:
    engines.engine_named(sys.argv[1], "")
except engines.EngineUnusable as error:
    print(error.code, error)
"""


def test_a_machine_without_fonts_is_told_what_to_install(engine: str, tmp_path: Path):
    """In a process of its own: fontconfig reads its configuration once."""
    configuration = tmp_path / "fonts.conf"
    configuration.write_text(
        '<?xml version="1.0"?><!DOCTYPE fontconfig SYSTEM "fonts.dtd">'
        f"<fontconfig><dir>{tmp_path}/none</dir><cachedir>{tmp_path}/cache</cachedir></fontconfig>"
    )
    environment = {**os.environ, "FONTCONFIG_FILE": str(configuration), "FONTCONFIG_PATH": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", NO_FONT, engine],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.startswith("font_missing no font is installed")
    assert "apt-get install fonts-dejavu-core" in done.stdout


@pytest.mark.parametrize(
    ("maker", "module"), [(WeasyPrintEngine, "weasyprint"), (PlutoPrintEngine, "plutoprint")]
)
def test_an_engine_that_is_not_installed_is_named(maker, module: str, monkeypatch):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(EngineUnusable, match="is not installed"):
        maker("")
