"""How far long work is, told to people."""

from __future__ import annotations

import io

from apps.backoffice.progress import progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_elsewhere_than_on_a_terminal_the_end_is_one_plain_line():
    out = io.StringIO()
    with progress("Loading", 3_000, "records", out) as report:
        for done in range(3_001):
            report(done)
    assert out.getvalue() == "Loading: 3,000 of 3,000 records\n"


def test_a_total_that_is_known_only_later_or_never_is_no_problem():
    out = io.StringIO()
    with progress("Files", None, stream=out) as report:
        report(2)
    with progress("Files", None, stream=out) as report:
        report(2, 4)
    assert out.getvalue() == "Files: 2\nFiles: 2 of 4\n"


def test_nothing_is_said_twice_while_nothing_is_done(monkeypatch):
    monkeypatch.setattr("apps.backoffice.progress.SECONDS_BETWEEN_LINES", 0.0)
    out = io.StringIO()
    with progress("Rendering", 10, "PDFs", out) as report:
        for done in (4, 4, 4, 10, 10):
            report(done)
    assert out.getvalue() == "Rendering: 4 of 10 PDFs\nRendering: 10 of 10 PDFs\n"


def test_a_terminal_gets_a_bar():
    out = Terminal()
    with progress("Rendering", 10, "PDFs", out) as report:
        report(10)
    assert "10/10" in out.getvalue()
    assert "Rendering" in out.getvalue()
