"""ActionTriggers.csv: sets of triggers for every tenant that the folder serves, and what accounts with them do."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from apps.charging.models import BalanceTrigger, TriggerFiring, TriggerSet, TriggerState
from apps.charging.services.executor import forget_directory
from apps.charging.services.trigger_settings import assign_trigger_set
from apps.rating.models import Tenant
from tests.charging.stored import account_of, charge_now, make_prepaid
from tests.charging.test_triggers import fired, sms
from tests.rating.folders import MINIMAL, write_folder

pytestmark = pytest.mark.django_db
TWO_TENANTS = MINIMAL["RatingProfiles"] + "brand,call,*any,*asap,RP,\n"
FRAUD = (
    "FRAUD,warn,*max_event_counter,100,true,1h,,,,*sms,*out,sms,,,,,,,,,,*none,20\n"
    "FRAUD,stop,*min_balance,0.5,false,,2027-01-01T00:00:00Z,2026-01-01T00:00:00Z,*default,*monetary,*out,,,,,,,,,,,*none,10\n"
    "FRAUD,,*max_balance_counter,60,false,,,,minutes,*voice,*out,,DE_MOBILE;!GERMANY,*zero1m,,,*any,5,true,false,0,*none,\n"
    "QUALITY,,*min_asr,50,true,10m,,,,,,,,,,,,,,,10,*none,10\n"
)


def load(path: Path, *options: str, **files: str) -> str:
    said = io.StringIO()
    try:
        call_command("loadtariffplan", str(write_folder(path, **files)), *options, stdout=said, stderr=said)
    except CommandError as error:
        said.write(f"REFUSED {error}")
    forget_directory()
    return said.getvalue()


def exported(path: Path) -> list[str]:
    call_command("exporttariffplan", str(path), "--force", stdout=io.StringIO())
    return (path / "ActionTriggers.csv").read_text().splitlines()[1:]


def test_triggers_are_loaded_as_sets_of_every_tenant_and_watch_the_accounts_that_get_one(
    tmp_path: Path,
) -> None:
    said = load(tmp_path / "tp", ActionTriggers=FRAUD, RatingProfiles=TWO_TENANTS)
    assert "ActionTriggers.csv     2 ids new, 0 replaced, 0 removed" in said
    assert "*min_asr is of CDR statistics" in said
    assert TriggerSet.objects.filter(code="FRAUD").count() == 2
    third = BalanceTrigger.objects.get(name="FRAUD#3", tenant__code="default")
    assert (third.threshold_units, third.balance_kind, third.destinations, third.balance_weight) == (
        60,
        "voice",
        "DE_MOBILE;!GERMANY",
        5,
    )
    make_prepaid(balance_micros=600_000)
    assign_trigger_set(Tenant.objects.get(code="default"), ["C1"], "FRAUD")
    charge_now(sms(2))

    assert fired() == [("FRAUD:stop", account_of().pk, 500_000)]


def test_a_load_again_keeps_what_triggers_remember_and_a_row_that_has_gone_stops_watching(
    tmp_path: Path,
) -> None:
    load(tmp_path / "tp", ActionTriggers=FRAUD)
    make_prepaid(balance_micros=600_000)
    assign_trigger_set(Tenant.objects.get(code="default"), ["C1"], "FRAUD")
    charge_now(sms(2))
    load(tmp_path / "again", ActionTriggers=FRAUD)
    charge_now(sms(number=1))
    assert len(fired()) == 1
    assert TriggerState.objects.get(trigger__name="FRAUD:stop").executed

    lines = FRAUD.splitlines(keepends=True)
    load(tmp_path / "less", "--flush", ActionTriggers="".join(lines[:1]))
    assert list(BalanceTrigger.objects.filter(enabled=True).values_list("name", flat=True)) == ["FRAUD:warn"]
    assert TriggerFiring.objects.get().trigger.name == "FRAUD:stop"
    other = "OTHER,,*min_balance,1,,,,,,,,,,,,,,,,,,*none,\n"
    said = load(tmp_path / "none", "--flush", ActionTriggers=other)
    assert "AccountActions.csv, loaded before: “FRAUD” is neither in ActionTriggers.csv nor" in said
    assert "REFUSED" in said
    assign_trigger_set(Tenant.objects.get(code="default"), ["C1"], None)
    assert "REFUSED" not in load(tmp_path / "none", "--flush", ActionTriggers=other)
    assert not BalanceTrigger.objects.filter(enabled=True, trigger_set__code="FRAUD").exists()


def test_what_is_exported_loads_as_the_same_triggers(tmp_path: Path) -> None:
    load(tmp_path / "tp", ActionTriggers=FRAUD)
    rows = exported(tmp_path / "out")
    assert rows == [
        "FRAUD,warn,*max_event_counter,100,true,3600s,,,,*sms,*out,sms,,,,,,,,,,*none,20",
        "FRAUD,stop,*min_balance,0.5,false,,2027-01-01T00:00:00Z,2026-01-01T00:00:00Z,*default,*monetary,*out"
        ",,,,,,,,,,,*none,10",
        "FRAUD,,*max_balance_counter,60,false,,,,minutes,*voice,*out,,DE_MOBILE;!GERMANY,*zero1m,,,,5,true,false"
        ",,*none,0",
        "QUALITY,,*min_asr,50,true,10m,,,,,,,,,,,,,,,10,*none,10",
    ]
    before = list(BalanceTrigger.objects.order_by("pk").values())
    assert "REFUSED" not in load(tmp_path / "out", "--flush")
    assert list(BalanceTrigger.objects.order_by("pk").values()) == before
    assert exported(tmp_path / "out") == rows


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ("T,,*max_speed,1,,,,,,,,,,,,,,,,,,*none,", "column ThresholdType: “*max_speed” is not watched"),
        ("T,,*min_balance,0.0000001,,,,,,,,,,,,,,,,,,*none,", "column ThresholdValue"),
        ("T,,*max_event_counter,1.5,,,,,,*voice,,,,,,,,,,,,*none,", "column ThresholdValue"),
        ("T,,*min_balance,1,,,,,,*gold,,,,,,,,,,,,*none,", "column BalanceType: “*gold”"),
        ("T,,*min_balance,1,,,,,,,,,,,,,,1.5,,,,*none,", "column BalanceWeight"),
        ("T,,*min_balance,1,,,,,,,,,,,,,PEAK,,,,,*none,", "column BalanceTimingIds"),
        (
            "T,a,*min_balance,1,,,,,,,,,,,,,,,,,,*none,\nT,a,*min_balance,2,,,,,,,,,,,,,,,,,,*none,",
            "line 2 of T",
        ),
        (
            "T,,*min_balance,1,,,2026-01-01T00:00:00Z,2026-01-01T00:00:00Z,,,,,,,,,,,,,,*none,",
            "column ExpiryTime",
        ),
    ],
)
def test_what_cannot_be_watched_is_refused_with_its_place(tmp_path: Path, row: str, says: str) -> None:
    header = (
        "Tag,UniqueId,ThresholdType,ThresholdValue,Recurrent,MinSleep,ExpiryTime,ActivationTime,BalanceTag,"
    )
    header += "BalanceType,BalanceDirections,BalanceCategories,BalanceDestinationIds,BalanceRatingSubject,"
    header += (
        "BalanceSharedGroup,BalanceExpiryTime,BalanceTimingIds,BalanceWeight,BalanceBlocker,BalanceDisabled,"
    )
    header += "StatsMinQueuedItems,ActionsId,Weight\n"
    said = load(tmp_path / "tp", ActionTriggers=header + row + "\n")

    assert "REFUSED" in said
    assert says in said
    assert not BalanceTrigger.objects.exists()
