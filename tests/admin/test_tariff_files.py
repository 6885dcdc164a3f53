"""Tariff folders in the admin: a version's files as an archive; drafts uploaded, published and undone."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command
from django.db.models import Model
from django.test import Client
from django.urls import reverse

from apps.kernel.clock import utc_now
from apps.rating.admin import drafts
from apps.rating.domain.tariff_files import packed
from apps.rating.models import Supplier, TariffDraft, TariffVersion, Tenant
from apps.rating.selectors.history import commits_by_version
from apps.rating.selectors.tariffs import version_source
from apps.rating.services.history import write_history
from bss_project.staff_groups import create_groups
from tests.rating.folders import MINIMAL, encoded, write_folder

pytestmark = pytest.mark.django_db


def signed_in(group: str = "") -> Client:
    user = User.objects.create_user(
        group or "root", "", "only-for-tests", is_staff=True, is_superuser=not group
    )
    if group:
        create_groups()
        user.groups.add(Group.objects.get(name=group))
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def loaded(tmp_path: Path) -> TariffVersion:
    quiet = io.StringIO()
    call_command("loadtariffplan", str(write_folder(tmp_path / "tp")), stdout=quiet, stderr=quiet)
    return TariffVersion.objects.get()


def test_a_versions_files_are_downloaded_as_an_archive(loaded: TariffVersion) -> None:
    address = reverse("admin:rating_tariffversion_do", args=(loaded.pk, "download"))
    client = signed_in("auditor")
    assert "Shared" in client.get(address).content.decode()
    answer = client.post(address, {"plan": "*shared"})
    assert answer["Content-Disposition"] == f'attachment; filename="tariff-{loaded.pk}-shared.zip"'
    with zipfile.ZipFile(io.BytesIO(answer.content)) as folder:
        assert folder.namelist() == [f"{name}.csv" for name in MINIMAL]
        assert "RT_MOB,0,1.2,60,30,0\n" in folder.read("Rates.csv").decode()


def test_a_versions_page_tells_who_made_it_what_it_changed_and_its_commit(
    loaded: TariffVersion, tmp_path: Path, settings: Any
) -> None:
    settings.TARIFF_HISTORY_DIR = tmp_path / "history.git"
    client = signed_in("auditor")
    versions = reverse("admin:rating_tariffversion_changelist")
    assert "There is no history at" in client.get(versions).content.decode()
    quiet = io.StringIO()
    dearer = write_folder(tmp_path / "dearer", Rates="RT_FIX,0,6,60,60,0\nRT_MOB,0,9,60,60,0\n")
    call_command("loadtariffplan", str(dearer), stdout=quiet, stderr=quiet)
    write_history(utc_now())
    assert "There is no history at" not in client.get(versions).content.decode()
    newest = TariffVersion.objects.latest("pk")
    page = client.get(reverse("admin:rating_tariffversion_change", args=(newest.pk,))).content.decode()
    assert commits_by_version()[newest.pk].id in page
    assert f"Against version {loaded.pk}: 2 rows added, 3 removed." in page
    compare = reverse("admin:rating_tariffversion_do", args=(loaded.pk, "compare"))
    answer = client.post(compare, {"other": str(newest.pk)})
    changed = [(sign, json.loads(row)["rate"]) for _, sign, row in answer.context["result"].rows]
    assert changed == [("−", "0.6"), ("−", "0.6"), ("−", "1.2"), ("+", "6"), ("+", "9")]
    assert "no tariff version 4711" in client.post(compare, {"other": "4711"}).content.decode()


# --- Drafts ---


def archive(**files: str) -> SimpleUploadedFile:
    return SimpleUploadedFile("tp.zip", packed(encoded(**files)))


def upload(client: Client, file: SimpleUploadedFile, **fields: str) -> str:
    address = reverse("admin:rating_tariffdraft_do_list", args=("upload",))
    return client.post(address, {"archive": file, **fields}, follow=True).content.decode()


def do(client: Client, row: Model, action: str, **fields: str) -> str:
    info = f"admin:rating_{row._meta.model_name}_do"
    return client.post(reverse(info, args=(row.pk, action)), fields, follow=True).content.decode()


def test_an_uploaded_folder_is_checked_published_and_undone(loaded: TariffVersion) -> None:
    client = signed_in("billing")
    page = upload(client, archive(Rates=MINIMAL["Rates"].replace("1.2", "2.4")), note="Dearer")
    assert "The draft is in order" in page
    draft = TariffDraft.objects.get(note="Dearer")
    assert (draft.made_by, draft.origin, draft.plan_code) == ("billing", "tp.zip", "*shared")
    assert TariffVersion.objects.count() == 1
    assert "is in force" in do(client, draft, "publish")
    draft.refresh_from_db()
    assert draft.load.version.note == f"draft {draft.pk}: Dearer"
    assert "is in force" in do(client, draft.load, "undo")
    assert version_source() == version_source(loaded.pk)
    assert "is in force" in do(client, draft.load.version, "back", plan="*shared")
    assert version_source() == version_source(draft.load.version_id)


def test_an_upload_with_errors_says_file_line_and_column_and_cannot_be_published(
    loaded: TariffVersion,
) -> None:
    client = signed_in("billing")
    page = upload(client, archive(Rates=MINIMAL["Rates"].replace("1.2", "dear")))
    assert "1 error below; the draft cannot go live" in page
    assert "Rates.csv, line 4, column Rate" in page
    assert "does not apply" in do(client, TariffDraft.objects.get(), "publish")
    assert TariffVersion.objects.count() == 1


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"no zip", "not a zip archive"), (packed({}), "none of the files of a tariff folder")],
)
def test_what_is_no_folder_makes_no_draft(content: bytes, message: str) -> None:
    assert message in upload(signed_in("billing"), SimpleUploadedFile("tp.zip", content))
    assert not TariffDraft.objects.exists()


def test_an_archive_too_large_is_refused_before_it_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drafts, "MAX_ARCHIVE_BYTES", 10)
    assert "at most 10 are taken" in upload(signed_in("billing"), archive())


def test_over_a_change_meanwhile_a_draft_is_published_only_when_that_is_ticked(loaded: TariffVersion) -> None:
    client = signed_in("billing")
    for price in ("2.4", "3.6"):
        upload(client, archive(Rates=MINIMAL["Rates"].replace("1.2", price)), note=price)
    first, second = TariffDraft.objects.get(note="2.4"), TariffDraft.objects.get(note="3.6")
    do(client, first, "publish")
    page = client.get(reverse("admin:rating_tariffdraft_change", args=(second.pk,)), {"panel": "meanwhile"})
    assert "the draft writes over it" in page.content.decode()
    assert "look at the difference" in do(client, second, "publish")
    assert "is in force" in do(client, second, "publish", accept_changes="on")


def test_with_maker_checker_rows_are_not_changed_by_hand(settings: Any, loaded: TariffVersion) -> None:
    client = signed_in()
    address = reverse("admin:rating_rate_add")
    assert client.get(address).status_code == 200
    settings.RATING_MAKER_CHECKER = True
    assert client.get(address).status_code == 403


def test_a_draft_shows_and_exports_what_it_would_change(loaded: TariffVersion) -> None:
    client = signed_in("billing")
    page = upload(client, archive(Rates=MINIMAL["Rates"].replace("RT_MOB,0,1.2", "RT_MOB,0,1.5")))
    for text in (
        "Prefixes: 2 rise",
        "DE_MOBILE",
        "4915, 4917",
        ">1.2<",
        ">1.5<",
        "+25.00",
        "default/call/*any",
    ):
        assert text in page
    draft = TariffDraft.objects.get()
    address = reverse("admin:rating_tariffdraft_do", args=(draft.pk, "difference"))
    answer = client.post(address, {"form": "csv", "usage": "2m"})
    assert answer["Content-Disposition"] == f'attachment; filename="difference-draft-{draft.pk}.csv"'
    assert "rise,DE_MOBILE,*any,4915 4917,120,2.4,3" in answer.content.decode()
    assert client.post(address, {"form": "xlsx"}).content.startswith(b"PK")
    assert "not a number of units" in client.post(address, {"form": "csv", "usage": "x"}).content.decode()
    do(client, draft, "publish")
    draft.refresh_from_db()
    assert draft.load is not None
    address = reverse("admin:rating_tariffversion_change", args=(draft.load.version_id,))
    assert "Prefixes: 2 rise" in client.get(address, {"panel": "difference"}).content.decode()


def test_a_draft_is_scheduled_and_discarded(loaded: TariffVersion) -> None:
    client = signed_in("billing")
    upload(client, archive())
    draft = TariffDraft.objects.get()
    assert "goes live at 2099-01-01 00:00 UTC" in do(
        client, draft, "schedule", at_0="2099-01-01", at_1="00:00"
    )
    assert "is discarded" in do(client, draft, "discard")
    assert "does not apply" in do(client, draft, "publish")


# --- Rate decks ---


def test_a_rate_deck_is_previewed_loaded_compared_and_published(loaded: TariffVersion) -> None:
    client = signed_in("billing")
    supplier = Supplier.objects.create(
        code="TELCO", name="Telco", tenant=Tenant.objects.get(), subject="telco"
    )

    def send(action: str, text: str, **fields: str) -> str:
        address = reverse("admin:rating_supplier_do", args=(supplier.pk, action))
        deck = SimpleUploadedFile("deck.csv", text.encode())
        return client.post(address, {"deck": deck, **fields}, follow=True).content.decode()

    good = "Destination,Prefix,Price\nGermany,49,0.6\nFrance,33-34,0.5\n"
    assert "The first 2 of 2 rows" in send("preview", good)
    assert "deck.csv, row 2, column Price (C)" in send("preview", good.replace("0.6", "dear"))
    assert "Deck.csv, row 2, column Price (C)" in send("deck", good.replace("0.6", "dear"))
    assert TariffDraft.objects.count() == 0
    page = send("deck", good, valid_from="2026-02-01")
    for text in (
        "The draft is in order",
        "Prefixes: 3 new",
        "TELCO:FRANCE",
        "33, 34",
        "default/purchase/telco",
    ):
        assert text in page
    assert "is in force" in do(client, TariffDraft.objects.get(), "publish")
    assert "Prefixes: 1 rise, 1 gone" in send(
        "deck",
        "Destination,Prefix,Price\nGermany,49,0.7\nFrance,33,0.5\n",
        whole="on",
        valid_from="2026-03-01",
    )
