"""Tables of the folder that rooms above rating load: checked, loaded and exported with the prices, all or nothing."""

from __future__ import annotations

import io
from collections.abc import Iterable
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from apps.kernel.errors import Problem
from apps.rating.models import TariffLoad, TariffVersion, Tenant
from apps.rating.services import folder_parts
from apps.rating.services.folder_parts import FolderPart, PartChange, add_part
from tests.rating.folders import MINIMAL, write_folder

pytestmark = pytest.mark.django_db
USERS = "brand,1001;1002,WEEKLY,\n"


class Shelf:
    """A room above rating that keeps ActionPlans and AccountActions in memory."""

    def __init__(self) -> None:
        self.rows: dict[tuple[str, ...], list[tuple[str, ...]]] = {}
        self.asked: list[str] = []

    def part(self, name: str, fails: bool = False) -> FolderPart:
        own: dict[tuple[str, ...], list[tuple[str, ...]]] = {}

        def load(change: PartChange) -> None:
            assert Tenant.objects.filter(code__in=change.tenants).count() == len(change.tenants)
            if fails:
                raise RuntimeError("the room failed")
            self.asked.append(f"load {name}")
            for key, rows in change.by_key(part.columns).items():
                own[key] = [tuple(row.cells.get(c, "") for c in part.columns.columns) for row in rows]

        def remove(change: PartChange) -> None:
            self.asked.append(f"remove {name} {change.removed}")
            for key in change.removed:
                del own[key]

        def export(plan_code: str) -> Iterable[tuple[str, ...]]:
            return [row for key in sorted(own) for row in own[key]]

        def check(change: PartChange) -> Iterable[Problem]:
            return [
                row.problem("Weight", "13 brings bad luck")
                for row in change.rows
                if row.values.get("Weight") == "13"
            ]

        part = FolderPart(name, load, remove, export, check=check)
        return part


@pytest.fixture
def shelf(monkeypatch: pytest.MonkeyPatch) -> Shelf:
    monkeypatch.setattr(folder_parts, "_parts", {})
    shelf = Shelf()
    # Registered in another order than that of the tables, as rooms start in any order.
    add_part(shelf.part("AccountActions"))
    add_part(shelf.part("ActionPlans"))
    add_part(shelf.part("Actions"))
    return shelf


ACTIONS = "TOPUP,*topup,,,,*monetary,*out,,,,,*unlimited,,10,10,false,false,10\n"
FULL = {"Actions": ACTIONS, "ActionPlans": "WEEKLY,TOPUP,PEAK,10\n", "AccountActions": USERS}


def run(*arguments: str, **options: object) -> str:
    said = io.StringIO()
    try:
        call_command(*arguments, **options, stdout=said, stderr=said)
    except CommandError as error:
        said.write(f"REFUSED {error}")
    return said.getvalue()


def load(path: Path, *options: str, **files: str) -> str:
    return run("loadtariffplan", str(write_folder(path, **files)), *options)


def test_a_part_is_loaded_exported_and_counted_with_the_prices(shelf: Shelf, tmp_path: Path) -> None:
    said = load(tmp_path / "tp", "--validate", **FULL)
    assert "the product does not act" not in said
    assert "PEAK is used by nothing" not in said
    assert "AccountActions.csv             1 row" in said
    assert "AccountActions.csv     2 ids new, 0 replaced, 0 removed" in said
    assert shelf.asked == ["load Actions", "load ActionPlans", "load AccountActions"]
    assert Tenant.objects.filter(code="brand").exists()
    assert TariffLoad.objects.get().changes["ActionPlans"] == {"new": 1, "replaced": 0, "removed": 0}
    run("exporttariffplan", str(tmp_path / "out"))
    assert (tmp_path / "out" / "AccountActions.csv").read_text() == (
        "Tenant,Account,ActionPlanId,ActionTriggersId,AllowNegative,Disabled\n"
        "brand,1001,WEEKLY,,,\nbrand,1002,WEEKLY,,,\n"
    )
    assert "2 replaced, 0 removed" in run("loadtariffplan", str(tmp_path / "out"), "--flush")


def test_a_flush_removes_what_a_table_no_longer_has_after_all_are_loaded(
    shelf: Shelf, tmp_path: Path
) -> None:
    load(tmp_path / "tp", **FULL)
    shelf.asked.clear()
    smaller = FULL | {"ActionPlans": "MONTHLY,TOPUP,PEAK,10\n", "AccountActions": "brand,1001,MONTHLY,\n"}
    said = load(tmp_path / "less", "--flush", **smaller)
    assert "ActionPlans.csv        1 id new, 0 replaced, 1 removed" in said
    assert shelf.asked == [
        "load Actions",
        "load ActionPlans",
        "load AccountActions",
        "remove AccountActions (('brand', '1002'),)",
        "remove ActionPlans (('WEEKLY',),)",
    ]


def test_a_flush_leaves_the_tables_that_the_folder_does_not_have(shelf: Shelf, tmp_path: Path) -> None:
    load(tmp_path / "tp", **FULL)
    assert "REFUSED" not in load(tmp_path / "prices", "--flush")
    run("exporttariffplan", str(tmp_path / "out"))
    assert "WEEKLY" in (tmp_path / "out" / "ActionPlans.csv").read_text()


def test_a_flush_that_takes_an_id_from_a_table_that_stays_is_refused(shelf: Shelf, tmp_path: Path) -> None:
    load(tmp_path / "tp", **FULL)
    said = load(tmp_path / "less", "--flush", Timings="")
    assert (
        "ActionPlans.csv, loaded before: “PEAK” is neither in Timings.csv nor in tariff plan *shared" in said
    )
    assert "REFUSED" in said


@pytest.mark.parametrize(
    ("file", "row", "told"),
    [
        (
            "ActionPlans",
            "WEEKLY,TOPDOWN,PEAK,10\n",
            "column ActionsId: “TOPDOWN” is neither in Actions.csv nor in",
        ),
        ("ActionPlans", "WEEKLY,*any,PEAK,10\n", "column ActionsId: “*any” is neither in Actions.csv nor in"),
        (
            "ActionPlans",
            "WEEKLY,TOPUP,NIGHT,10\n",
            "column TimingId: “NIGHT” is neither in Timings.csv nor in",
        ),
        ("ActionPlans", "WEEKLY,TOPUP,PEAK,heavy\n", "column Weight: “heavy” is not a weight"),
        ("ActionPlans", "WEEKLY,TOPUP,PEAK,13\n", "column Weight: 13 brings bad luck"),
        ("AccountActions", "*any,1001,WEEKLY,\n", "column Tenant: “*any” is not a tenant"),
        ("AccountActions", "brand,,WEEKLY,\n", "column Account: this may not be empty"),
        ("AccountActions", "brand,1001;!1002,WEEKLY,\n", "column Account: “!1002” is not an id"),
    ],
)
@pytest.mark.parametrize("options", [("--dry-run",), ()])
def test_a_fault_in_a_part_loads_nothing(
    shelf: Shelf, tmp_path: Path, options: tuple[str, ...], file: str, row: str, told: str
) -> None:
    said = load(tmp_path / "tp", *options, **FULL | {file: row})
    assert f"{file}.csv, line 1, {told}" in said
    assert "REFUSED" in said
    assert shelf.asked == []
    assert not TariffVersion.objects.exists()


def test_what_was_loaded_before_may_be_named(shelf: Shelf, tmp_path: Path) -> None:
    load(tmp_path / "tp", **FULL)
    more = dict.fromkeys(MINIMAL, "") | {"ActionPlans": "DAILY,TOPUP,PEAK,10\n"}
    said = load(tmp_path / "more", "--validate", **more)
    assert "REFUSED" not in said
    assert "ActionPlans.csv, line 1, column Id: DAILY is used by nothing" in said
    # The plan named is looked up, not what the plan names in turn.
    alone = dict.fromkeys(MINIMAL, "") | {"AccountActions": "brand,1003,WEEKLY,\n"}
    assert "REFUSED" not in load(tmp_path / "alone", **alone)


def test_actions_that_would_run_twice_are_told(shelf: Shelf, tmp_path: Path) -> None:
    days = "FIRST,*any,*any,1,*any,00:00:00\nMONDAY,*any,*any,*any,1,00:00\nMAY,*any,5,*any,*any,*asap\n"
    plans = "WEEKLY,TOPUP,MONDAY,10\nWEEKLY,TOPUP,PEAK,10\nMONTHLY,TOPUP,FIRST,10\n"
    files = FULL | {"Timings": MINIMAL["Timings"] + days}
    assert "runs twice" not in load(tmp_path / "tp", "--validate", **files | {"ActionPlans": plans})
    said = load(tmp_path / "tp", "--validate", **files | {"ActionPlans": f"{plans}MONTHLY,TOPUP,MAY,10\n"})
    assert "ActionPlans.csv, line 4, column TimingId: TOPUP runs at FIRST and MAY alike on " in said
    assert "-05-01: it runs twice" in said


def test_a_dry_run_says_what_a_load_would_do(shelf: Shelf, tmp_path: Path) -> None:
    load(tmp_path / "tp", **FULL)
    more = FULL | {"ActionPlans": "WEEKLY,TOPUP,*any,10\nDAILY,TOPUP,*any,10\n"}
    said = load(tmp_path / "more", "--dry-run", **more)
    assert "ActionPlans.csv        1 id new, 1 replaced, 0 removed" in said
    assert "nothing was stored" in said
    less = FULL | {
        "Timings": "",
        "ActionPlans": "DAILY,TOPUP,*any,10\n",
        "AccountActions": "brand,1,DAILY,\n",
    }
    said = load(tmp_path / "less", "--flush", "--dry-run", **less)
    assert "Timings.csv; rows of former loads are removed" in said
    assert "Timings.csv            0 ids new, 0 replaced, 1 removed" in said
    assert "ActionPlans.csv        1 id new, 0 replaced, 1 removed" in said
    assert shelf.asked == ["load Actions", "load ActionPlans", "load AccountActions"]


def test_a_room_that_fails_takes_the_prices_with_it(shelf: Shelf, tmp_path: Path) -> None:
    add_part(shelf.part("Actions", fails=True))
    with pytest.raises(RuntimeError):
        load(tmp_path / "tp", **FULL)
    assert not TariffVersion.objects.exists()


def test_a_tenants_own_folder_is_loaded_for_the_tenant(shelf: Shelf, tmp_path: Path) -> None:
    load(tmp_path / "tp", "--tenant", "mvno", **FULL)
    run("exporttariffplan", str(tmp_path / "out"), tenant="mvno")
    assert "mvno,1001,WEEKLY" in (tmp_path / "out" / "AccountActions.csv").read_text()
    assert not Tenant.objects.filter(code="brand").exists()
