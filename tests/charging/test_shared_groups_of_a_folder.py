"""SharedGroups.csv: loaded into every tenant that the folder serves, flushed, exported, and named by other tables."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from apps.charging.models import Account, Balance, SharedGroup
from apps.charging.services.config import read_config
from apps.rating.models import PricePlanService, TariffDraft
from tests.factories import make_plan, make_subscriber, make_tenant
from tests.rating.folders import MINIMAL, write_folder

pytestmark = pytest.mark.django_db
TWO_TENANTS = MINIMAL["RatingProfiles"] + "brand,call,*any,*asap,RP,\n"
GROUPS = "FAMILY,*any,*mine_lowest,\nFAMILY,A1,highest,*zero1m\nTEAM,*any,,\n"


def load(path: Path, *options: str, **files: str) -> str:
    said = io.StringIO()
    try:
        call_command("loadtariffplan", str(write_folder(path, **files)), *options, stdout=said, stderr=said)
    except CommandError as error:
        said.write(f"REFUSED {error}")
    return said.getvalue()


def terms(code: str, tenant: str = "default") -> list[tuple[str, str, str]]:
    group = SharedGroup.objects.get(code=code, tenant__code=tenant)
    return sorted((str(row.account or "*any"), row.strategy, row.rating_subject) for row in group.terms.all())


def exported(path: Path) -> str:
    call_command("exporttariffplan", str(path), "--force", stdout=io.StringIO())
    return (path / "SharedGroups.csv").read_text()


@pytest.fixture
def account() -> Account:
    account = make_subscriber(plan=make_plan(voice=(100_000, 0))).payer.account
    account.number = "A1"
    account.save()
    return account


def test_groups_are_made_for_every_tenant_and_charged_by(tmp_path: Path, account: Account) -> None:
    said = load(tmp_path / "tp", SharedGroups=GROUPS, RatingProfiles=TWO_TENANTS)
    assert "SharedGroups.csv       2 ids new, 0 replaced, 0 removed" in said
    assert terms("FAMILY") == [("*any", "*mine_lowest", ""), ("A1", "*highest", "*zero1m")]
    assert terms("FAMILY", "brand") == [("*any", "*mine_lowest", "")]
    assert terms("TEAM", "brand") == [("*any", "*mine_random", "")]
    group = SharedGroup.objects.get(code="FAMILY", tenant__code="default")
    assert read_config()[0].groups[group.pk].terms_of(account.pk) == ("*highest", "*zero1m")


def test_what_is_exported_loads_as_the_same_groups(tmp_path: Path, account: Account) -> None:
    load(tmp_path / "tp", SharedGroups=GROUPS, RatingProfiles=TWO_TENANTS)
    text = exported(tmp_path / "out")
    assert text == (
        "Id,Account,Strategy,RatingSubject\nFAMILY,*any,*mine_lowest,\nFAMILY,A1,*highest,*zero1m\nTEAM,*any,*mine_random,\n"
    )
    before = terms("FAMILY"), terms("FAMILY", "brand"), terms("TEAM")
    call_command("loadtariffplan", str(tmp_path / "out"), "--flush", stdout=io.StringIO())
    assert (terms("FAMILY"), terms("FAMILY", "brand"), terms("TEAM")) == before
    assert exported(tmp_path / "again") == text


def test_a_group_of_the_folder_replaces_its_like_and_its_balances_stay(
    tmp_path: Path, account: Account
) -> None:
    load(tmp_path / "tp", SharedGroups=GROUPS)
    balance = Balance.objects.get_or_create(account=account, tag="SHARED")[0]
    balance.groups.add(SharedGroup.objects.get(code="FAMILY"))
    said = load(tmp_path / "new", "--validate", SharedGroups="FAMILY,*any,*random,\n")
    assert "0 ids new, 1 replaced, 0 removed" in said
    assert "FAMILY is used by nothing" not in said
    assert terms("FAMILY") == [("*any", "*random", "")]
    assert balance.groups.get().code == "FAMILY"
    assert terms("TEAM")


def test_a_flush_removes_groups_that_no_balance_is_in(tmp_path: Path, account: Account) -> None:
    load(tmp_path / "tp", SharedGroups=GROUPS)
    balance = Balance.objects.get_or_create(account=account, tag="SHARED")[0]
    balance.groups.add(SharedGroup.objects.get(code="FAMILY"))
    assert "0 ids new, 1 replaced, 1 removed" in load(
        tmp_path / "less", "--flush", SharedGroups="FAMILY,*any,*lowest,\n"
    )
    said = load(tmp_path / "none", "--flush", SharedGroups="TEAM,*any,*lowest,\n")
    assert "SharedGroups.csv: FAMILY has balances in it; keep it in the file" in said
    assert "REFUSED" in said
    assert list(SharedGroup.objects.values_list("code", flat=True)) == ["FAMILY"]


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ("FAMILY,A9,*lowest,\n", "line 1, column Account: no account A9 in tenant default"),
        (
            "FAMILY,*any,*lowest,\nFAMILY,*any,*random,\n",
            "line 2, column Strategy: FAMILY has other terms for *any in",
        ),
        ("FAMILY,*any,cheapest,\n", "line 1, column Strategy: “cheapest” is not a strategy"),
        (",*any,*lowest,\n", "line 1, column Id: this may not be empty"),
        ("FAMILY,*any\n", "line 1, column 2: this row has 2 of the 4 columns"),
    ],
)
def test_a_wrong_row_loads_nothing(tmp_path: Path, rows: str, told: str) -> None:
    for options in (("--dry-run",), ()):
        said = load(tmp_path / "tp", *options, SharedGroups=rows)
        assert f"SharedGroups.csv, {told}" in said
        assert "REFUSED" in said
    assert not SharedGroup.objects.exists()


def test_a_tenants_own_plan_does_not_take_a_group_of_the_shared_one(tmp_path: Path) -> None:
    make_tenant("brand")
    load(tmp_path / "tp", SharedGroups="TEAM,*any,,\n", RatingProfiles=TWO_TENANTS)
    said = load(tmp_path / "own", "--tenant", "brand", SharedGroups="TEAM,*any,*lowest,\n")
    assert "SharedGroups.csv, line 1, column Id: tenant brand has TEAM from tariff plan *shared" in said
    assert "REFUSED" in said
    assert "REFUSED" not in load(tmp_path / "own", "--tenant", "brand", SharedGroups="OWN,*any,*lowest,\n")
    assert set(SharedGroup.objects.filter(code="OWN").values_list("tenant__code", flat=True)) == {"brand"}
    assert "OWN" not in exported(tmp_path / "out")


def test_destinations_of_balances_and_free_units_count_as_used(tmp_path: Path, account: Account) -> None:
    more = MINIMAL["Destinations"] + "FRANCE,33\nSPAIN,34\nITALY,39\n"
    PricePlanService.objects.update(free_destinations="SPAIN")
    Balance.objects.create(account=account, tag="ABROAD", destinations="!FRANCE; SPAIN")
    said = load(tmp_path / "tp", "--validate", Destinations=more)
    assert "destination ITALY is used by nothing" in said
    assert "FRANCE is used by nothing" not in said
    assert "SPAIN is used by nothing" not in said
    said = load(tmp_path / "less", "--flush")
    assert (
        "Destinations.csv: the flush removes FRANCE, which balances or products outside of the folder name"
        in said
    )
    assert "Destinations.csv: the flush removes SPAIN" in said
    assert "removes ITALY" not in said


def test_a_group_that_nothing_uses_is_told(tmp_path: Path) -> None:
    said = load(tmp_path / "tp", "--validate", SharedGroups="TEAM,*any,,\nTEAM,*any,,\n")
    assert said.count("SharedGroups.csv, line 1, column Id: TEAM is used by nothing") == 1
    assert "line 2, column Id" not in said


def test_undoing_a_load_brings_the_groups_back_that_it_changed_and_removes_those_it_added(
    tmp_path: Path,
) -> None:
    load(tmp_path / "tp", SharedGroups="FAMILY,*any,*lowest,\n")
    load(tmp_path / "tp", SharedGroups="FAMILY,*any,*highest,\nTEAM,*any,*random,\n")
    assert (terms("FAMILY"), terms("TEAM")) == ([("*any", "*highest", "")], [("*any", "*random", "")])
    call_command("rollbacktariff", stdout=io.StringIO())
    assert terms("FAMILY") == [("*any", "*lowest", "")]
    assert not SharedGroup.objects.filter(code="TEAM").exists()
    call_command("rollbacktariff", stdout=io.StringIO())
    assert terms("TEAM") == [("*any", "*random", "")]


def test_a_draft_is_not_published_over_groups_that_changed_since(tmp_path: Path) -> None:
    load(tmp_path / "tp", SharedGroups="FAMILY,*any,*lowest,\n")
    load(tmp_path / "tp", "--draft", SharedGroups="FAMILY,*any,*random,\n")
    load(tmp_path / "tp", SharedGroups="FAMILY,*any,*highest,\n")
    with pytest.raises(CommandError, match="SharedGroups FAMILY changed"):
        call_command("publishtariff", str(TariffDraft.objects.latest("pk").pk), stdout=io.StringIO())
    assert terms("FAMILY") == [("*any", "*highest", "")]
