"""A tariff folder in a real browser: upload, see the difference, publish, go back; and a supplier's rate deck."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.core.cache import cache

from apps.kernel.clock import utc_now
from apps.rating.domain.tariff_files import packed
from apps.rating.models import Supplier, TariffDraft, TariffVersion, Tenant
from apps.rating.selectors.tariffs import version_source
from apps.rating.services.drafts import make_draft, publish_draft
from tests.rating.folders import MINIMAL, encoded

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.any_database]


@pytest.fixture
def signed_in(signed_in_page: Any, live_server: Any) -> Any:
    """A page of a signed-in superuser, over a tariff that is live."""
    cache.clear()
    publish_draft(make_draft(encoded(), utc_now()).pk, utc_now())
    signed_in_page.go = lambda path: signed_in_page.goto(f"{live_server.url}{path}")
    return signed_in_page


def press(page: Any, action: str) -> None:
    """Open the page of an action by its button, and confirm it there."""
    page.click(f"a[href$='/do/{action}/']")
    page.click(".bss-action-page button[type=submit]")
    page.wait_for_load_state()


def test_a_folder_is_uploaded_compared_published_and_undone(signed_in: Any, tmp_path: Path) -> None:
    first = TariffVersion.objects.get()
    archive = tmp_path / "new-prices.zip"
    archive.write_bytes(packed(encoded(Rates=MINIMAL["Rates"].replace("RT_MOB,0,1.2", "RT_MOB,0,1.5"))))
    signed_in.go("/admin/rating/tariffdraft/")
    signed_in.click("a[href$='/do/upload/']")
    signed_in.set_input_files("input[type=file]", archive)
    signed_in.fill("input[name=note]", "Dearer")
    signed_in.click(".bss-action-page button[type=submit]")
    signed_in.wait_for_selector(".bss-table")
    row = " ".join(signed_in.inner_text(".bss-table tbody tr").split())
    assert row.startswith("RISE DE_MOBILE 4915, 4917 any time 60 1.2 1.5 +25.00 rate default/call/*any")
    assert TariffVersion.objects.count() == 1

    press(signed_in, "publish")
    assert "is in force" in signed_in.content()
    draft = TariffDraft.objects.get(note="Dearer")
    assert draft.state == "published"
    signed_in.click(f"a:has-text('Load {draft.load_id} of')")
    press(signed_in, "undo")
    assert "is in force" in signed_in.content()
    assert version_source() == version_source(first.pk)


def test_errors_of_a_folder_are_listed_where_it_was_uploaded(signed_in: Any, tmp_path: Path) -> None:
    archive = tmp_path / "bad.zip"
    archive.write_bytes(packed(encoded(Rates=MINIMAL["Rates"].replace("1.2", "dear"))))
    signed_in.go("/admin/rating/tariffdraft/do/upload/")
    signed_in.set_input_files("input[type=file]", archive)
    signed_in.click(".bss-action-page button[type=submit]")
    signed_in.wait_for_selector(".bss-table")
    assert "Rates.csv, line 4, column Rate" in signed_in.inner_text(".bss-table")
    assert signed_in.locator("a[href$='/do/publish/']").count() == 0
    assert TariffDraft.objects.latest("pk").note == ""


def test_a_rate_deck_is_previewed_and_becomes_a_draft(signed_in: Any, tmp_path: Path) -> None:
    supplier = Supplier.objects.create(
        code="TELCO", name="Telco", tenant=Tenant.objects.get(), subject="telco"
    )
    deck = tmp_path / "deck.csv"
    deck.write_text("Destination;Prefix;Price\nGermany;49;0.61\nFrance;33-34;0.5\n")
    address = f"/admin/rating/supplier/{supplier.pk}/change/"
    signed_in.go(address)
    signed_in.click("a[href$='/do/preview/']")
    signed_in.set_input_files("input[type=file]", deck)
    signed_in.click(".bss-action-page button[type=submit]")
    signed_in.wait_for_selector("#result")
    assert "France 33, 34 0.5 60/60" in " ".join(signed_in.inner_text("#result tbody").split())
    signed_in.go(address)
    signed_in.click("a[href$='/do/deck/']")
    signed_in.set_input_files("input[type=file]", deck)
    signed_in.click(".bss-action-page button[type=submit]")
    signed_in.wait_for_selector(".bss-table")
    assert "TELCO:FRANCE" in signed_in.inner_text(".bss-table")
