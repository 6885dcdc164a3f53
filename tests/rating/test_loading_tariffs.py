"""loadtariffplan end to end, versions and the tariff in force, on the database in use."""

from __future__ import annotations

import io
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import transaction

from apps.kernel.errors import NotFound
from apps.rating.domain import RatingError
from apps.rating.models import (
    Destination,
    DestinationPrefix,
    PricePlan,
    RateSlot,
    RatingProfile,
    TariffLoad,
    TariffPlan,
    TariffVersion,
    Tenant,
)
from apps.rating.selectors import current_tariff, tariff_version
from apps.rating.selectors.tariffs import look_again
from apps.rating.services.publishing import publish, publish_on_commit
from apps.runtime.commands import system_user
from tests.rating.folders import MINIMAL, write_folder
from tests.rating.tariffs import usage

NOW = datetime(2026, 1, 5, tzinfo=UTC)
pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _no_tariff_from_elsewhere() -> None:
    look_again()


def load(folder: Path, *options: str) -> str:
    out = io.StringIO()
    call_command("loadtariffplan", str(folder), *options, stdout=out, stderr=out)
    return out.getvalue()


def refused(folder: Path, *options: str) -> str:
    out = io.StringIO()
    with pytest.raises(CommandError) as caught:
        call_command("loadtariffplan", str(folder), *options, stdout=out, stderr=out)
    return f"{out.getvalue()}{caught.value}"


def price(**options: Any) -> int:
    return current_tariff().rater.rate(usage(60, **options)).cost_micros


def test_a_folder_is_loaded_and_priced_by(tmp_path: Path) -> None:
    said = load(write_folder(tmp_path / "tp"))
    assert "Destinations.csv" in said
    assert "3 rows" in said
    assert "Tenant default is new" in said
    assert Tenant.objects.get().code == "default"
    assert price() == 700_000
    assert price(destination="49151") == 1_200_000


def test_the_folder_serves_every_tenant_that_its_profiles_name(tmp_path: Path) -> None:
    profiles = "default,call,*any,*asap,RP,\nbrand,call,*any,*asap,RP,\n"
    load(write_folder(tmp_path / "tp", RatingProfiles=profiles))
    assert set(Tenant.objects.values_list("code", flat=True)) == {"default", "brand"}
    assert price(tenant="brand") == price(tenant="default") == 700_000
    assert DestinationPrefix.objects.count() == 3


def test_a_tenants_own_folder_does_not_touch_the_ids_of_others(tmp_path: Path) -> None:
    load(write_folder(tmp_path / "shared"))
    load(
        write_folder(tmp_path / "brand", Rates="RT_FIX,0,6,60,60,0\nRT_MOB,0,6,60,60,0\n"),
        "--tenant",
        "brand",
    )
    assert price() == 700_000
    assert price(tenant="brand") == 6_000_000


def test_an_error_loads_nothing_and_names_its_place(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "tp", Rates="RT_FIX,0,oops,60,60,0\nRT_MOB,0,1,x,60,0\n")
    said = refused(folder)
    assert f"{folder}/Rates.csv, line 1, column Rate: “oops” is not an amount" in said
    assert f"{folder}/Rates.csv, line 2, column RateUnit" in said
    assert "nothing was loaded" in said
    assert not Tenant.objects.exists()
    assert not TariffPlan.objects.exists()
    assert not TariffVersion.objects.exists()


def test_a_failed_load_leaves_the_former_rows(tmp_path: Path) -> None:
    load(write_folder(tmp_path / "tp"))
    refused(write_folder(tmp_path / "bad", RatingPlans="RP,DR,NEVER,10\n"), "--flush")
    look_again()
    assert price() == 700_000


def test_a_dry_run_checks_and_stores_nothing(tmp_path: Path) -> None:
    assert "is in order; nothing was stored" in load(write_folder(tmp_path / "tp"), "--dry-run")
    assert not TariffVersion.objects.exists()
    assert not Destination.objects.exists()
    assert "column TimingTag" in refused(
        write_folder(tmp_path / "bad", RatingPlans="RP,DR,NEVER,10\n"), "--dry-run"
    )


def test_validation_warns_and_loads(tmp_path: Path) -> None:
    said = load(write_folder(tmp_path / "tp"), "--validate")
    assert "warning: " in said
    assert "Timings.csv, line 2, column Tag: timing PEAK is used by nothing" in said
    assert TariffVersion.objects.count() == 1


def test_the_same_content_is_the_same_version(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "tp")
    load(folder)
    assert "the same as tariff version" in load(folder)
    assert "the same as tariff version" in load(folder, "--flush")
    assert TariffVersion.objects.count() == 1


def test_ids_of_the_folder_replace_their_like_and_leave_the_rest(tmp_path: Path) -> None:
    load(write_folder(tmp_path / "tp"))
    kept = Destination.objects.get(code="GERMANY").pk
    only = dict.fromkeys(("Timings", "Destinations", "DestinationRates", "RatingPlans", "RatingProfiles"), "")
    said = load(write_folder(tmp_path / "update", **only | {"Rates": "RT_FIX,0,0.3,60,60,0\n"}))
    assert "Not in" in said
    assert "rows of former loads are kept" in said
    assert price() == 300_000
    assert price(destination="49151") == 1_200_000
    assert RateSlot.objects.filter(rate__code="RT_FIX").count() == 1
    assert Destination.objects.get(code="GERMANY").pk == kept


def test_flush_removes_what_the_folder_does_not_have(tmp_path: Path) -> None:
    load(
        write_folder(tmp_path / "tp", RatingProfiles="default,call,*any,*asap,RP,\nold,call,*any,*asap,RP,\n")
    )
    load(write_folder(tmp_path / "new", Timings=""), "--flush")
    assert RatingProfile.objects.count() == 1
    with pytest.raises(RatingError) as caught:
        price(tenant="old")
    assert caught.value.code == "no_rating_plan"


def test_flush_of_a_tenants_folder_leaves_the_shared_one(tmp_path: Path) -> None:
    load(write_folder(tmp_path / "tp"))
    load(write_folder(tmp_path / "brand"), "--tenant", "brand", "--flush")
    assert price() == 700_000


def test_a_profile_that_was_loaded_before_gets_its_new_plan(tmp_path: Path) -> None:
    load(write_folder(tmp_path / "tp"))
    load(
        write_folder(
            tmp_path / "new",
            RatingPlans="RP,DR,*any,10\nRP2,DR2,*any,10\n",
            DestinationRates="DR,GERMANY,RT_FIX,*up,4,0,\nDR2,*any,RT_MOB,*up,4,0,\n",
            RatingProfiles="default,call,*any,2026-01-01T00:00:00Z,RP2,\n",
        )
    )
    assert RatingProfile.objects.count() == 1
    assert price() == 1_200_000


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (lambda path: path / "nothing", "is not a folder"),
        (lambda path: path, "has none of the files"),
    ],
)
def test_a_wrong_folder_is_told(tmp_path: Path, make, expected: str) -> None:
    assert expected in refused(make(tmp_path))


def test_a_wrong_tenant_is_told(tmp_path: Path) -> None:
    assert "--tenant" in refused(write_folder(tmp_path / "tp"), "--tenant", "a b")


def test_20_000_prefixes_arrive_complete(tmp_path: Path) -> None:
    rows = "".join(f"GERMANY,49{number:05d}\n" for number in range(20_000))
    load(write_folder(tmp_path / "tp", Destinations=f"DE_MOBILE,4915\n{rows}"))
    assert DestinationPrefix.objects.count() == 20_001
    assert current_tariff().rater.rate(usage(60, destination="49123456")).prefix == "4912345"


def test_without_a_tariff_it_is_said_how_to_get_one() -> None:
    with pytest.raises(NotFound, match="loadtariffplan"):
        current_tariff()


def test_an_old_version_still_prices_as_it_did(tmp_path: Path) -> None:
    load(write_folder(tmp_path / "tp"))
    before = current_tariff()
    load(write_folder(tmp_path / "tp", Rates="RT_FIX,0,0.3,60,60,0\nRT_MOB,0,1,60,60,0\n"))
    assert current_tariff().version_id > before.version_id
    assert price() == 300_000
    assert tariff_version(before.version_id).rater.rate(usage(60)).cost_micros == 700_000
    with pytest.raises(NotFound):
        tariff_version(before.version_id + 100)


def test_a_process_sees_a_new_version_once_it_looks_again(tmp_path: Path, settings: Any) -> None:
    load(write_folder(tmp_path / "tp"))
    first = current_tariff()
    # Another process publishes: this one is not told, so it notices when its time to look has come.
    version = TariffVersion.objects.get(pk=first.version_id)
    PricePlan.objects.create(tenant=Tenant.objects.get(), code="P", name="P")
    from apps.rating.domain.snapshot import encode
    from apps.rating.selectors.tariff_source import tariff_source

    snapshot = encode(tariff_source())
    newer = TariffVersion.objects.create(
        published_at=version.published_at, content_hash=snapshot.content_hash, snapshot=snapshot.data
    )
    settings.RATING_TARIFF_REFRESH_S = 3_600
    assert current_tariff() is first
    settings.RATING_TARIFF_REFRESH_S = 0
    assert current_tariff().version_id == newer.pk


def test_an_edited_row_is_priced_by_after_its_commit(
    tmp_path: Path, django_capture_on_commit_callbacks: Any
) -> None:
    load(write_folder(tmp_path / "tp"))
    versions = TariffVersion.objects.count()
    with django_capture_on_commit_callbacks(execute=True), transaction.atomic():
        RateSlot.objects.filter(rate__code="RT_FIX").update(price="0.9")
        publish_on_commit(NOW, "edited")
        publish_on_commit(NOW, "edited")
    assert price() == 1_000_000
    assert TariffVersion.objects.count() == versions + 1


def test_rows_that_make_no_tariff_leave_the_former_in_force(
    tmp_path: Path, django_capture_on_commit_callbacks: Any
) -> None:
    load(write_folder(tmp_path / "tp"))
    told: list[Exception] = []
    with django_capture_on_commit_callbacks(execute=True), transaction.atomic():
        RateSlot.objects.filter(rate__code="RT_MOB").delete()
        publish_on_commit(NOW, on_error=told.append)
    assert "destination rate DR: rate “RT_MOB” has no slot" in str(told[0])
    look_again()
    assert price() == 700_000


def test_a_price_plan_of_the_rows_is_priced_with_its_expiration_date() -> None:
    from tests.factories import make_plan, make_tenant

    tenant = make_tenant(time_zone="Europe/Berlin")
    plan = make_plan("SMART", tenant=tenant, sms=(90_000, 0), voice=(None, 100))
    plan.expiration_date = date(2026, 2, 1)
    plan.save()
    publish(NOW)
    sms = usage(2, "2026-01-31T22:59:59Z", subject="*plan:SMART", category="sms", tor="sms")
    assert current_tariff().rater.rate(sms).cost_micros == 180_000
    with pytest.raises(RatingError) as caught:
        current_tariff().rater.rate(sms._replace(start=datetime(2026, 1, 31, 23, tzinfo=UTC)))
    assert caught.value.code == "plan_expired"


def test_a_real_folder_loads_with_warnings_for_its_odd_rows(tmp_path: Path) -> None:
    """A rate without a slot at 0, a unit of 0 and a list of subjects keep nothing else from being loaded."""
    folder = write_folder(
        tmp_path / "tp",
        Rates="RT_FIX,0,0.6,60,60,30\nRT_MOB,0,1,0,1,0\nBROKEN,0,x,60,60,0\n",
        RatingProfiles="default,call,1001;1006,*asap,RP,\n",
    )
    for options in (("--dry-run",), (), ("--validate",)):
        said = load(folder, *options)
        assert (
            f"warning: {folder}/Rates.csv, line 1, column GroupIntervalStart: rate RT_FIX has no slot" in said
        )
        assert f"warning: {folder}/Rates.csv, line 2, column RateUnit: “0” counts as 1" in said
        assert f"warning: {folder}/Rates.csv, line 3, column Rate: “x” is not an amount" in said
        assert "BROKEN is left out, nothing uses it" in said
    assert price(subject="1001") == price(subject="1006") == 600_000
    assert price(subject="1001", destination="49151") == 60_000_000
    with pytest.raises(RatingError):
        price(subject="1002")


def test_warnings_are_shown_beside_errors(tmp_path: Path) -> None:
    said = refused(write_folder(tmp_path / "tp", Rates="RT_FIX,0,x,60,60,30\nRT_MOB,0,1,0,60,0\n"))
    assert "Rates.csv, line 1, column Rate" in said
    assert "warning: " in said


def test_a_load_names_every_file_that_has_no_effect(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "tp", Users="default,1001,true,Cli,1,oops\n")
    (folder / "Chargers.csv").write_text("one\n")
    for options in (("--dry-run",), ()):
        said = load(folder, *options)
        assert f"warning: {folder}/Chargers.csv: this is no file of a tariff folder" in said
        assert f"warning: {folder}/Users.csv: the product does not act on this file yet: 1 row" in said
        assert f"warning: {folder}/Users.csv, line 1, column Weight: “oops” is not a weight" in said
    assert price() == 700_000


def test_a_load_is_kept_with_who_did_it_its_rows_changes_and_warnings(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "tp", Users="default,1001,true,Cli,1,10\n")
    said = load(folder, "--validate")
    assert "Destinations.csv       2 ids new, 0 replaced, 0 removed" in said
    first = TariffLoad.objects.get()
    assert first.loaded_by == system_user()
    assert first.origin == str(folder)
    assert (first.files["Destinations"], first.files["Users"]) == (3, 1)
    assert [code for _, _, code in first.warnings] == ["not_acted_on", "unused"]
    assert first.warnings[1][0] == "Timings.csv, line 2, column Tag"
    assert first.warning_count == 2
    assert first.version == TariffVersion.objects.get()
    assert first.is_new_version
    load(write_folder(tmp_path / "less", Timings="", Destinations="GERMANY,49\nDE_MOBILE,4915\n"), "--flush")
    second = TariffLoad.objects.get(flushed=True)
    assert second.changes["Timings"] == {"new": 0, "replaced": 0, "removed": 1}
    assert second.changes["Destinations"] == {"new": 0, "replaced": 2, "removed": 0}


def test_a_refused_load_and_a_dry_run_are_no_loads(tmp_path: Path) -> None:
    load(write_folder(tmp_path / "tp"), "--dry-run")
    refused(write_folder(tmp_path / "bad", RatingPlans="RP,DR,NEVER,10\n"))
    assert not TariffLoad.objects.exists()


def test_a_part_of_a_folder_is_validated_together_with_loaded_rows(tmp_path: Path) -> None:
    load(write_folder(tmp_path / "tp", RatingPlans="RP,DR,PEAK,10\nRP,DR,*any,0\n"))
    none = dict.fromkeys(MINIMAL, "")
    said = load(write_folder(tmp_path / "rates", **none | {"Rates": "RT_FIX,0,0.3,60,60,0\n"}), "--validate")
    assert "0 warnings" in said
    said = load(
        write_folder(
            tmp_path / "more",
            **none
            | {
                "Timings": "PEAK,*any,*any,*any,6;7,*asap\n",
                "Destinations": "FRANCE,33\nDE_NEW,4916\nDE_NEW,4917\n",
            },
        ),
        "--validate",
        "--dry-run",
    )
    assert "Destinations.csv, line 1, column Id: destination FRANCE is used by nothing" in said
    assert "Destinations.csv, line 1, column Prefix: prefix 33 has no rate, as no rating plan" in said
    assert "usage to 33 is refused" in said
    assert "Destinations.csv, line 2, column Prefix: prefix 4916 has no rate" in said
    assert "usage to 4916 is priced as 49" in said


def test_a_timing_that_makes_a_gap_in_a_loaded_plan_is_told(tmp_path: Path) -> None:
    load(write_folder(tmp_path / "tp", RatingPlans="RP,DR,ALL,10\n", Timings="ALL,,,,,00:00:00\n"))
    none = dict.fromkeys(MINIMAL, "")
    said = load(
        write_folder(tmp_path / "gap", **none | {"Timings": "ALL,,,,1;2,00:00:00\n"}),
        "--validate",
        "--dry-run",
    )
    assert (
        "Timings.csv, line 1, column Time: rating plan RP, destination GERMANY: no timing applies on" in said
    )
