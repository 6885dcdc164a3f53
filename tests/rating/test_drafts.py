"""Tariff drafts: kept and priced by without being live, published once, by a second person or at a time."""

from __future__ import annotations

import io
import zipfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from hypothesis import given, settings

from apps.billing.models import Notification
from apps.events.services.consuming import deliver
from apps.kernel.errors import Conflict, InvalidInput, InvalidInputs
from apps.rating.domain.snapshot import encode
from apps.rating.domain.tariff_files import archives, packed, unpacked
from apps.rating.models import Rate, TariffDraft, TariffLoad, TariffVersion
from apps.rating.selectors import current_tariff
from apps.rating.selectors.drafts import draft_tariff
from apps.rating.selectors.tariffs import look_again, version_source
from apps.rating.services.drafts import (
    check_draft,
    discard_draft,
    go_back,
    make_draft,
    publish_draft,
    publish_due_drafts,
    schedule_draft,
    version_before,
)
from apps.rating.services.publishing import publish
from tests.rating.folders import MINIMAL, encoded, write_folder
from tests.rating.tariffs import usage
from tests.rating.test_exporting_tariffs import folders

NOW = datetime(2026, 1, 5, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)
pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _no_tariff_from_elsewhere() -> None:
    look_again()


def rates(price: str) -> str:
    """Rates.csv with this price for a minute to mobiles."""
    return MINIMAL["Rates"].replace("RT_MOB,0,1.2", f"RT_MOB,0,{price}")


def only(name: str, text: str) -> dict[str, bytes]:
    return {name: text.encode()}


def live() -> int:
    """Micro-units for a minute to a German mobile, by what is in force."""
    return current_tariff().rater.rate(usage(60, destination="491511111111")).cost_micros


def drafted(draft: TariffDraft) -> int:
    return draft_tariff(draft.pk).rater.rate(usage(60, destination="491511111111")).cost_micros


def first_tariff() -> TariffVersion:
    draft = make_draft(encoded(), NOW, by="ann")
    return TariffVersion.objects.get(pk=publish_draft(draft.pk, NOW, "ann").version_id)


def test_a_draft_prices_by_itself_and_changes_no_live_price_until_it_is_published() -> None:
    first_tariff()
    draft = make_draft(only("Rates", rates("2.4")), NOW, by="ann", origin="new.zip", note="Dearer")
    assert (live(), drafted(draft)) == (1_200_000, 2_400_000)
    loaded = publish_draft(draft.pk, LATER, "bob")
    assert (live(), loaded.is_new) == (2_400_000, True)
    draft.refresh_from_db()
    assert (draft.state, draft.decided_by, draft.decided_at) == ("published", "bob", LATER)
    assert draft.load is not None
    assert draft.load.origin == f"draft {draft.pk}: new.zip"


@settings(max_examples=15)
@given(folder=folders(), other=folders())
def test_a_drafts_tariff_is_byte_for_byte_the_one_that_publishing_it_makes(
    folder: dict[str, str], other: dict[str, str]
) -> None:
    for number, files in enumerate((folder, other, other | {"Timings": ""})):
        tables = {name: text.encode() for name, text in files.items() if text}
        draft = make_draft(tables, NOW, plan_code="default" if number == 1 else "*shared", flush=number == 2)
        if draft.error_count:
            continue
        expected = encode(draft_tariff(draft.pk).source).content_hash
        loaded = publish_draft(draft.pk, NOW)
        assert TariffVersion.objects.get(pk=loaded.version_id).content_hash == expected


def test_a_published_or_discarded_draft_is_published_no_more() -> None:
    first_tariff()
    one, two = make_draft(encoded(), NOW), make_draft(encoded(), NOW)
    publish_draft(one.pk, NOW)
    discard_draft(two.pk, NOW)
    for draft, code in ((one, "draft_published"), (two, "draft_discarded")):
        with pytest.raises(Conflict) as caught:
            publish_draft(draft.pk, NOW)
        assert caught.value.code == code


def test_errors_are_kept_with_their_places_and_keep_a_draft_from_going_live() -> None:
    first_tariff()
    draft = make_draft(only("Rates", rates("dear")), NOW)
    assert draft.problems[0][0] == "Rates.csv, line 4, column Rate"
    for action in (
        lambda: publish_draft(draft.pk, NOW),
        lambda: schedule_draft(draft.pk, LATER, NOW),
        lambda: draft_tariff(draft.pk),
    ):
        with pytest.raises(InvalidInputs):
            action()
    assert live() == 1_200_000


def test_with_maker_checker_only_a_second_person_publishes_and_nothing_is_loaded_without_a_draft(
    settings: Any, tmp_path: Path
) -> None:
    first = first_tariff()
    settings.RATING_MAKER_CHECKER = True
    draft = make_draft(only("Rates", rates("2.4")), NOW, by="ann")
    for by in ("ann", ""):
        with pytest.raises(Conflict, match="another person"):
            publish_draft(draft.pk, NOW, by)
        with pytest.raises(Conflict, match="another person"):
            schedule_draft(draft.pk, LATER, NOW, by)
    with pytest.raises(CommandError, match="make a draft"):
        call_command("loadtariffplan", str(write_folder(tmp_path / "tp")), stdout=io.StringIO())
    publish_draft(draft.pk, NOW, "bob")
    assert live() == 2_400_000
    back = go_back(first.pk, NOW, by="bob")
    assert (back.state, live()) == ("open", 2_400_000)
    publish_draft(back.pk, NOW, "ann")
    assert live() == 1_200_000


def test_a_scheduled_draft_goes_live_once_at_its_time() -> None:
    first_tariff()
    draft = make_draft(only("Rates", rates("2.4")), NOW)
    with pytest.raises(InvalidInput, match="past"):
        schedule_draft(draft.pk, NOW, NOW)
    schedule_draft(draft.pk, LATER, NOW, "ann")
    assert publish_due_drafts(LATER - timedelta(seconds=1)) == 0
    assert publish_due_drafts(LATER) == 1
    assert publish_due_drafts(LATER) == 0
    assert live() == 2_400_000
    assert TariffLoad.objects.count() == 2


@pytest.mark.parametrize(
    "step", ["apps.rating.services.tariff_loading.publish", "apps.rating.models.TariffDraft.save"]
)
def test_a_publication_that_fails_at_any_step_leaves_nothing_and_is_done_at_the_next_tick(
    step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    first_tariff()
    draft = make_draft(only("Rates", rates("2.4")), NOW)
    schedule_draft(draft.pk, LATER, NOW)
    with monkeypatch.context() as broken:
        broken.setattr(step, lambda *_, **__: 1 / 0)
        assert publish_due_drafts(LATER) == 0
    assert (TariffLoad.objects.count(), TariffVersion.objects.count(), live()) == (1, 1, 1_200_000)
    assert publish_due_drafts(LATER) == 1
    assert (TariffLoad.objects.count(), TariffVersion.objects.count(), live()) == (2, 2, 2_400_000)


def test_a_due_draft_that_would_write_over_a_later_change_is_held_and_told() -> None:
    first_tariff()
    draft = make_draft(only("Rates", rates("2.4")), NOW)
    schedule_draft(draft.pk, LATER, NOW, "ann")
    other = make_draft(only("Rates", rates("1.8")), NOW)
    publish_draft(other.pk, NOW)
    assert publish_due_drafts(LATER) == 0
    draft.refresh_from_db()
    assert draft.state == "held"
    assert "Rates RT_MOB changed" in draft.message
    deliver(LATER)
    assert Notification.objects.get(level="error").text.startswith(
        f"Tariff draft {draft.pk} is due and not live"
    )
    with pytest.raises(Conflict) as caught:
        publish_draft(draft.pk, LATER)
    assert caught.value.code == "live_changed"
    check_draft(draft.pk, LATER)
    publish_draft(draft.pk, LATER)
    assert live() == 2_400_000


def test_changes_elsewhere_do_not_hold_a_draft_and_are_named_in_its_load() -> None:
    first_tariff()
    draft = make_draft(only("Rates", rates("2.4")), NOW)
    schedule_draft(draft.pk, LATER, NOW)
    other = make_draft(only("Destinations", "Id,Prefix\nFRANCE,33\n"), NOW)
    publish_draft(other.pk, NOW)
    assert publish_due_drafts(LATER) == 1
    draft.refresh_from_db()
    assert draft.load is not None
    assert [
        "Destinations.csv",
        "FRANCE changed since the draft was checked",
        "live_changed",
    ] in draft.load.warnings


def test_a_draft_whose_references_went_meanwhile_is_held_with_the_reason() -> None:
    first_tariff()
    draft = make_draft(only("RatingPlans", "Id,DestinationRatesId,TimingTag,Weight\nRP2,DR,PEAK,10\n"), NOW)
    schedule_draft(draft.pk, LATER, NOW)
    everything = {name: text.replace("DR", "DX") for name, text in MINIMAL.items()}
    publish_draft(make_draft(encoded(**everything), NOW, flush=True).pk, NOW)
    assert publish_due_drafts(LATER) == 0
    draft.refresh_from_db()
    assert "destination rate “DR”" in draft.message


def test_an_edit_by_hand_counts_as_a_change_meanwhile() -> None:
    first_tariff()
    draft = make_draft(only("Rates", rates("2.4")), NOW)
    Rate.objects.get(code="RT_MOB").slots.update(price="1.5")
    publish(NOW)
    with pytest.raises(Conflict):
        publish_draft(draft.pk, NOW)
    publish_draft(draft.pk, NOW, accept_changes=True)
    assert live() == 2_400_000


def test_a_load_is_undone_to_the_tariff_before_it() -> None:
    first = first_tariff()
    loaded = publish_draft(make_draft(only("Rates", rates("2.4")), NOW).pk, NOW)
    load = TariffLoad.objects.get(pk=loaded.load_id)
    back = go_back(version_before(load), LATER, by="ann")
    assert back.load is not None
    assert version_source() == version_source(first.pk)
    with pytest.raises(Conflict, match="no tariff before"):
        version_before(TariffLoad.objects.get(version=first))


def test_the_commands_make_list_schedule_publish_and_undo(tmp_path: Path) -> None:
    def run(*arguments: str) -> str:
        out = io.StringIO()
        call_command(*arguments, stdout=out, stderr=out)
        return out.getvalue()

    first_tariff()
    folder = str(write_folder(tmp_path / "tp", Rates=rates("2.4")))
    assert "makes it live" in run("loadtariffplan", folder, "--draft", "--note", "Dearer")
    draft = TariffDraft.objects.get(note="Dearer")
    assert f"{draft.pk}  *shared  open" in run("publishtariff")
    assert "goes live at 2099-01-01T00:00:00Z" in run("publishtariff", str(draft.pk), "--at", "2099-01-01")
    assert live() == 1_200_000
    assert "published as tariff version" in run("publishtariff", str(draft.pk))
    assert live() == 2_400_000
    assert "published as tariff version" in run("rollbacktariff")
    assert live() == 1_200_000
    with pytest.raises(CommandError, match="published already"):
        run("publishtariff", str(draft.pk), "--discard")
    with pytest.raises(CommandError, match="1 error"):
        run("loadtariffplan", str(write_folder(tmp_path / "bad", Rates=rates("x"))), "--draft")


# --- Archives ---


def zipped(entries: dict[str, bytes]) -> bytes:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as folder:
        for name, data in entries.items():
            folder.writestr(name, data)
    return archive.getvalue()


def test_files_in_any_folder_of_an_archive_are_read_but_no_hidden_ones() -> None:
    data = zipped(
        {
            "tp/Rates.csv": b"a",
            "tp/.DS_Store": b"x",
            "__MACOSX/tp/Rates.csv": b"x",
            "../../etc/Timings.csv": b"b",
        }
    )
    assert unpacked(data) == {"Rates.csv": b"a", "Timings.csv": b"b"}
    assert unpacked(packed({"Rates": "a"})) == {"Rates.csv": b"a"}


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "not a zip archive"),
        (b"PK\x03\x04 but not really", "not a zip archive"),
        (zipped({"Rates.csv": b"a" * 100})[:-40], "not a zip archive"),
        (zipped({"a/Rates.csv": b"a", "b/Rates.csv": b"b"}), "a/Rates.csv is in the archive too"),
        (zipped({str(number): b"" for number in range(1_001)}), "more than 1,000 files"),
    ],
    ids=("empty", "no archive", "cut off", "a name twice", "too many"),
)  # fmt: skip
def test_a_bad_archive_is_refused(data: bytes, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        unpacked(data)


def test_an_archive_that_unpacks_to_too_much_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "MAX_CONTENT_BYTES", 1_000_000)
    bomb = zipped({"Rates.csv": b"0" * 1_000_001})
    assert len(bomb) < 2_000
    with pytest.raises(InvalidInput, match="larger than 1,000,000"):
        unpacked(bomb)
    monkeypatch.setattr(archives, "MAX_ARCHIVE_BYTES", 100)
    with pytest.raises(InvalidInput, match="at most 100"):
        unpacked(bomb)
