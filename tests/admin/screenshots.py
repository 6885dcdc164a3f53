"""Takes the pictures of the documentation from a running server, best one that ``./run demo`` has filled.

.venv/bin/python -m tests.admin.screenshots http://127.0.0.1:8000 var/admin_password docs/images
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
from pathlib import Path
from typing import Any

from playwright.sync_api import sync_playwright

from tests.fixtures.browser import ARGUMENTS, NAMES

SIZE = {"width": 1400, "height": 940}
MOST_OCTETS = 300_000


def first_link(page: Any, address: str) -> None:
    """Open the first row of a list."""
    page.goto(address)
    page.click("#result_list tbody a >> nth=0")
    page.wait_for_load_state("networkidle")


def take(page: Any, server: str, folder: Path) -> None:
    """Dashboard, a bill with its PDF, suspense, a price explained."""

    def shoot(name: str) -> None:
        page.wait_for_timeout(500)
        page.screenshot(path=folder / f"{name}.png")

    page.goto(f"{server}/admin/")
    shoot("dashboard")

    first_link(page, f"{server}/admin/billing/bill/?kind__exact=postpaid&status__exact=unpaid")
    page.evaluate("document.getElementById('panels').scrollIntoView()")
    # The viewer is a page of its own, which Playwright cannot wait for.
    page.wait_for_timeout(4_000)
    shoot("bill")

    page.goto(f"{server}/admin/mediation/suspendedrecord/?state__exact=open")
    shoot("suspense")

    page.goto(f"{server}/admin/rating/tariffversion/do/enquiry/")
    page.select_option("select[name=price_plan]", index=1)
    page.fill("input[name=destination]", "442071838750")
    page.fill("input[name=amount]", "4m30s")
    page.click("button:has-text('What does it cost?')")
    page.wait_for_selector("#explanation")
    page.evaluate("document.getElementById('explanation').scrollIntoView()")
    shoot("price")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("server")
    parser.add_argument("password_file", type=Path)
    parser.add_argument("folder", type=Path)
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    executable = next(filter(None, map(shutil.which, NAMES)))
    with sync_playwright() as playwright:
        sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
        browser = playwright.chromium.launch(executable_path=executable, args=[*ARGUMENTS, *sandbox])
        page = browser.new_page(viewport=SIZE, locale="en-GB")
        page.goto(f"{options.server}/admin/login/")
        page.fill("input[name=username]", "admin")
        page.fill("input[name=password]", options.password_file.read_text().strip())
        page.click("[type=submit]")
        page.wait_for_url(re.compile("/admin/$"))
        take(page, options.server.rstrip("/"), options.folder)
        browser.close()
    for path in sorted(options.folder.glob("*.png")):
        octets = path.stat().st_size
        print(f"{path}: {octets:,} octets")
        assert octets <= MOST_OCTETS, f"{path} is too large for the repository"


if __name__ == "__main__":
    main()
