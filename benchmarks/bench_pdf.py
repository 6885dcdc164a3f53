"""Bills as PDF through the real formatter, against the engine alone on the same HTML, and with four workers.

Each bill has three pages and 60 itemised records. Bare and formatter take turns, batch by batch, so that other load of
the machine does falls on both. The bare engine has its fonts and its parsed style sheet kept, as the formatter has.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from benchmarks.protocol import Measurement, Setup, Timing

TITLE = "Bills as PDF (WeasyPrint), 3 pages, 60 records"
DATABASES = ("mariadb", "sqlite")

BATCHES = 4
BATCH = 10
FOUR_WORKERS_BILLS = 120
PLUTOPRINT_BILLS = 100
RECORDS = 60
WORKERS = 4
NOW = datetime(2026, 2, 1, 6, tzinfo=UTC)


def main(setup: Setup) -> list[Measurement]:
    from django.conf import settings

    settings.INVOICE_BATCH = BATCH
    batches = setup.scaled(BATCHES)
    for_four = setup.scaled(FOUR_WORKERS_BILLS, WORKERS * BATCH)
    for_plutoprint = setup.scaled(PLUTOPRINT_BILLS, BATCH)
    setup.progress(f"making {batches * BATCH + for_four + for_plutoprint:,} bills of {RECORDS} records")
    _make_bills(batches * BATCH + for_four + for_plutoprint)
    bare, one = _take_turns(setup, batches)
    setup.progress(f"bare {bare.rate(batches * BATCH):.2f}/s, formatter {one.rate(batches * BATCH):.2f}/s")
    with setup.measure() as four:
        _format_in_processes(for_four)
    setup.progress(f"{WORKERS} workers {four.rate(for_four):.2f}/s")
    settings.PDF_ENGINE = "plutoprint"
    pluto_bare, pluto = _take_turns(setup, for_plutoprint // BATCH)
    _check(batches * BATCH + for_four + for_plutoprint // BATCH * BATCH)
    return [
        Measurement(
            "one worker", one.rate(batches * BATCH), "PDFs/s", one.peak_mb,
            against="bare write_pdf", baseline=bare.rate(batches * BATCH), ratio_at_least=0.95,
            note=f"{batches * BATCH} bills; bare peak {bare.peak_mb:.0f} MB",
        ),
        Measurement(
            f"{WORKERS} workers", four.rate(for_four), "PDFs/s", four.peak_mb,
            against="one worker", baseline=one.rate(batches * BATCH), ratio_at_least=3.0,
            note=f"{for_four} bills; peak of the largest process",
        ),
        Measurement(
            "one worker, PlutoPrint", pluto.rate(for_plutoprint // BATCH * BATCH), "PDFs/s", pluto.peak_mb,
            against="bare PlutoPrint", baseline=pluto_bare.rate(for_plutoprint // BATCH * BATCH),
            note="same HTML",
        ),
    ]  # fmt: skip


def _make_bills(count: int) -> None:
    from tests.invoicing.scenes import new_bills

    made = len(new_bills(postpaid=count, records=RECORDS))
    if made != count:
        raise RuntimeError(f"{made} bills were made instead of {count}")


def _take_turns(setup: Setup, batches: int) -> tuple[Timing, Timing]:
    """The engine alone on a batch's HTML, then the formatter on the same batch; sums of both."""
    from apps.invoicing.services.documents import pdf_engine, properties_of
    from apps.invoicing.services.workers import format_bills

    engine = pdf_engine()
    for html, context in _documents(1):
        engine.render(html, properties_of(context))
    bare, product = Timing(), Timing()
    for _ in range(batches):
        documents = [(html, properties_of(context)) for html, context in _documents(BATCH)]
        with setup.measure() as timing:
            for html, properties in documents:
                engine.render(html, properties)
        bare.add(timing)
        with setup.measure() as timing:
            written = sum(len(outcome.written) for outcome in format_bills(lambda: NOW, limit=BATCH))
        product.add(timing)
        if written != BATCH:
            raise RuntimeError(f"{written} of {BATCH} bills were rendered")
    return bare, product


def _documents(count: int) -> Iterator[tuple[str, object]]:
    """HTML and context of the bills that are due next."""
    from apps.invoicing.domain.context_builder import build_context
    from apps.invoicing.selectors.bill_data import Batch
    from apps.invoicing.services.claims import due_bills
    from apps.invoicing.services.documents import bill_html

    ids = list(due_bills(NOW).order_by("pk").values_list("pk", flat=True)[:count])
    batch = Batch(ids)
    for pk in ids:
        context = build_context(batch.bill_data(pk), batch.history(pk))
        yield bill_html(context), context


def _format_in_processes(count: int) -> None:
    from apps.invoicing.services.workers import format_bills_in_processes

    outcomes = format_bills_in_processes(_now, WORKERS, limit=count)
    written = sum(len(outcome.written) for outcome in outcomes)
    if written != count:
        raise RuntimeError(f"{written} of {count} bills were rendered")


def _now() -> datetime:
    return NOW


def _check(count: int) -> None:
    from django.conf import settings

    from apps.invoicing.models import BillDocument

    files = [path for path in settings.INVOICES_DIR.rglob("*.pdf") if path.stat().st_size > 10_000]
    if not len(files) == BillDocument.objects.count() == count:
        raise RuntimeError(f"{len(files)} files and {BillDocument.objects.count()} rows of {count} documents")
