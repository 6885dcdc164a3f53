"""Derived charging: a record is charged once for its subscriber and once a run for each other party in the chain."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.urls import reverse

from apps.billing.models import BillLine
from apps.charging.models import Account, Balance, LedgerEntry
from apps.kernel.errors import InvalidInput
from apps.kernel.periods import Period
from apps.mediation.domain.derived import ChargerRow, DerivedChargers, read_run
from apps.mediation.models import Cdr, DerivedCharger, RunAccount, SuspendedRecord
from apps.mediation.selectors import explain_cdr
from apps.mediation.services.load_file import Outcome
from apps.mediation.services.suspense import recycle
from apps.rating.domain.tariff_files.folder_tables import FOLDER_TABLES
from apps.rating.selectors.tariffs import look_again
from apps.rating.services.publishing import publish
from tests.billing.scenes import run as bill_run
from tests.factories import make_cycle, make_plan, make_subscriber, make_tenant
from tests.mediation.samples import NOW, START, cdr, load, make_operator, stream
from tests.rating.folders import write_folder

pytestmark = pytest.mark.django_db


def derive(run: str = "wholesale", **fields: str) -> DerivedCharger:
    """A row for all records of the tenant; fields named with a capital are templates."""
    values = {
        "tenant": "default",
        "run": run,
        "templates": {name: text for name, text in fields.items() if name[0].isupper()},
        **{name: text for name, text in fields.items() if name[0].islower()},
    }
    row = DerivedCharger.objects.create(**values)
    look_again()
    return row


def make_chain(mode: str = "postpaid") -> None:
    """Customers of MVNO “brand” at 0.09 a minute, whose calls cost the brand 0.05 in the operator's tenant."""
    brand = make_tenant("brand")
    make_subscriber(1, plan=make_plan("RETAIL", tenant=brand, voice=(90_000, 0)), cycle=2)
    make_plan("WHOLESALE", voice=(50_000, 0))
    make_subscriber(7, plan=make_plan("ANY", voice=(None, 0)), mode=mode)
    publish(NOW)
    look_again()
    derive(tenant="brand", TenantField="^default", AccountField="^C7", SubjectField="^*plan:WHOLESALE")


def rows() -> list[tuple[str, str, int, str]]:
    """Run, account, cost and destination number of each stored row."""
    return list(
        Cdr.objects.order_by("pk").values_list("run", "account__number", "cost_micros", "other_party")
    )


def test_each_run_charges_its_own_account_by_its_own_rates():
    make_chain()
    assert load(stream([cdr(1), cdr(2)])).totals.rated == 2
    assert sorted(rows()) == sorted(
        [
            ("*default", "C1", 90_000, "4930123456"),
            ("wholesale", "C7", 50_000, "4930123456"),
        ]
        * 2
    )
    assert list(RunAccount.objects.values_list("account__number", flat=True)) == ["C7"]
    explained = explain_cdr(Cdr.objects.filter(run="wholesale").first())
    assert explained.agrees
    assert explained.stored_cost_micros == 50_000


def test_a_records_page_lists_all_of_its_runs(admin_client):
    make_chain()
    load(stream([cdr(1)]))
    own = Cdr.objects.get(run="*default")
    page = reverse("admin:mediation_cdr_change", args=(own.pk,))
    shown = admin_client.get(page, {"panel": "runs"}).content.decode()
    assert all(text in shown for text in ("wholesale", "C7", "0.05"))


def test_the_customer_and_the_reseller_are_billed_each_for_their_own_run():
    make_chain()
    load(stream([cdr(1), cdr(2)]))
    for number, tenant in ((1, "default"), (2, "brand")):
        cycle = make_cycle(number, tenant=make_tenant(tenant))
        bill_run(cycle, Period(START.replace(day=1, hour=0), START.replace(month=4, day=1, hour=0)))
    usage = BillLine.objects.filter(kind="usage").order_by("bill__account__number")
    assert list(
        usage.values_list("bill__account__number", "subscriber__number", "records", "exact_micros")
    ) == [("C1", "S1", 2, 180_000), ("C7", None, 2, 100_000)]


def test_a_prepaid_reseller_is_debited_once_a_day():
    make_chain("prepaid")
    load(stream([cdr(1), cdr(2), cdr(90_000)]))
    entries = LedgerEntry.objects.order_by("cause").values_list("cause", "amount_micros")
    file_id, account_id = Cdr.objects.values_list("file_id", "account_id").get(
        run="wholesale", record_id="R000001"
    )
    assert list(entries) == [
        (f"cdr-file:{file_id}:wholesale:{account_id}:2026-03-10", -100_000),
        (f"cdr-file:{file_id}:wholesale:{account_id}:2026-03-11", -50_000),
    ]
    assert Balance.objects.get().amount_micros == -150_000


def test_the_same_records_again_are_charged_by_no_run():
    make_chain("prepaid")
    load(stream([cdr(1)]))
    again = load(stream([cdr(1), cdr(2)]), "MSC01_2.cdr")
    assert (again.totals.rated, again.totals.duplicates) == (1, 1)
    assert Cdr.objects.filter(run="wholesale").count() == 2
    assert Balance.objects.get().amount_micros == -100_000


def test_a_run_that_cannot_be_charged_puts_the_whole_record_into_suspense_until_it_can():
    make_operator(1, free_minutes=10)
    derive(AccountField="^NOBODY")
    outcome = load(stream([cdr(1)]))
    assert outcome.outcome is Outcome.LOADED
    suspended = SuspendedRecord.objects.get()
    assert suspended.reason == "derived_run_failed"
    assert "run wholesale: tenant default has no account “NOBODY”" in suspended.message
    assert not Cdr.objects.exists()
    customer = Account.objects.get()
    Account.objects.create(
        tenant=customer.tenant,
        customer=customer.customer,
        number="NOBODY",
        mode="postpaid",
        currency="EUR",
        opened_at=START,
    )
    assert recycle([suspended.pk], now=NOW, by="test").rated == 1
    assert sorted(rows()) == [
        ("*default", "C1", 0, "4930123456"),
        ("wholesale", "NOBODY", 90_000, "4930123456"),
    ], "free units are the default run's alone"


def test_a_run_on_the_records_own_account_is_priced_and_not_charged():
    make_operator(1, mode="prepaid")
    make_plan("OTHER", voice=(10_000, 0))
    publish(NOW)
    derive("as-other", SubjectField="^*plan:OTHER")
    load(stream([cdr(1)]))
    assert list(Cdr.objects.order_by("run").values_list("run", "mode", "cost_micros")) == [
        ("*default", "", 90_000),
        ("as-other", "*rated", 10_000),
    ]
    assert Balance.objects.get().amount_micros == -90_000


def test_filters_and_replacement_decide_for_each_record():
    make_operator(2)
    derive(
        run_filter="usage(>=60);destination(^4930)",
        AccountField="~msisdn:s/^49155500000(\\d+)$/C2/",
        DestinationField="~destination:s/^49(\\d+)$/0049$1/",
        UsageField="^120",
        AnswerTimeField="^2026-03-09T00:00:00Z",
    )
    load(stream([cdr(1), cdr(2, duration_s=59), cdr(3, other_party="4940999")]))
    derived = Cdr.objects.get(run="wholesale")
    assert (derived.record_id, derived.other_party, derived.usage) == ("R000001", "004930123456", 120)
    assert (derived.cost_micros, derived.start.day) == (180_000, 9)


def test_the_most_precise_key_decides_alone():
    def row(run: str, tenant: str = "*any", *, category: str = "*any", account: str = "*any", ids: str = ""):
        return ChargerRow("*out", tenant, category, account, "*any", ids, run, "", {})

    def names(*key: str, number: str = "DE") -> list[str]:
        def serves(included: tuple[str, ...], excluded: tuple[str, ...]) -> bool:
            return number in included and number not in excluded

        return [run.name for run in chargers.runs_of(*key, serves)]

    chargers = DerivedChargers(
        [
            row("all"),
            row("tenant", "t"),
            row("second", "t"),
            row("call", "t", category="call"),
            row("abroad", "t", category="call", ids="FR;ES"),
            row("account", "t", category="call", account="A;B"),
            row("in", "x")._replace(direction="*in"),
        ]
    )
    assert names("u", "call", "A", "s") == ["all"]
    assert names("x", "call", "A", "s") == ["all"]
    assert names("t", "sms", "A", "s") == ["tenant", "second"]
    assert names("t", "call", "C", "s") == ["call"]
    assert names("t", "call", "C", "s", number="ES") == ["abroad"]
    assert names("t", "call", "B", "s", number="ES") == ["account"]


@pytest.mark.parametrize(
    ("column", "row"),
    [
        ("RunId", {"run": "*default"}),
        ("RunId", {"run": ""}),
        ("RunFilter", {"run_filter": "colour(red)"}),
        ("RunFilter", {"run_filter": "usage"}),
        ("AccountField", {"fields": {"AccountField": "~account:s/(/x/"}}),
        ("SubjectField", {"fields": {"SubjectField": "shoe_size"}}),
    ],
)
def test_a_wrong_row_is_refused_with_its_column(column, row):
    good = ChargerRow("*out", "t", "*any", "*any", "*any", "", "run", "", {})
    assert read_run(good).replaced == ()
    with pytest.raises(InvalidInput) as error:
        read_run(good._replace(**row))
    assert error.value.where == column


# The key, destination ids, run and filter, then the templates.
_ROW = "*out,brand,call,*any,*any,,wholesale,usage(>=1)," + ",".join(
    ["*default", "*default", "^default", "*default", "^R-001", "^wholesale", *["*default"] * 5, "{supplier}"]
    + ["*default"] * 3
)


def tariff_folder(path: Path, *rows: str) -> Path:
    header = ",".join(FOLDER_TABLES["DerivedChargers"].columns)
    return write_folder(path, DerivedChargers="\n".join([header, *rows]) + "\n")


def test_derived_chargers_of_a_folder_are_loaded_exported_and_loaded_again_as_they_were(tmp_path):
    call_command("loadtariffplan", str(tariff_folder(tmp_path / "tp", _ROW.format(supplier="*default"))))
    charger = DerivedCharger.objects.get()
    assert (charger.tenant, charger.run, charger.run_filter) == ("brand", "wholesale", "usage(>=1)")
    assert charger.templates == {
        "TenantField": "^default",
        "AccountField": "^R-001",
        "SubjectField": "^wholesale",
    }
    call_command("exporttariffplan", str(tmp_path / "out"))
    exported = (tmp_path / "out" / "DerivedChargers.csv").read_text()
    assert exported.splitlines()[1] == _ROW.format(supplier="*default")
    call_command("loadtariffplan", str(tmp_path / "out"), flush=True)
    call_command("exporttariffplan", str(tmp_path / "again"))
    assert (tmp_path / "again" / "DerivedChargers.csv").read_text() == exported
    call_command("loadtariffplan", str(tariff_folder(tmp_path / "none")), flush=True)
    assert not DerivedCharger.objects.exists()


def test_a_folder_with_a_wrong_derived_charger_is_refused_with_its_place(tmp_path, capsys):
    wrong = _ROW.format(supplier="*default").replace("usage(>=1)", "colour(red)")
    with pytest.raises(CommandError):
        call_command("loadtariffplan", str(tariff_folder(tmp_path / "tp", wrong)))
    assert (
        "DerivedChargers.csv, line 2, column RunFilter: a record has no field “colour”"
        in capsys.readouterr().err
    )
    assert not DerivedCharger.objects.exists()


def test_a_column_that_nothing_acts_on_is_named_and_kept(tmp_path, capsys):
    call_command("loadtariffplan", str(tariff_folder(tmp_path / "tp", _ROW.format(supplier="^acme"))))
    told = capsys.readouterr()
    assert "SupplierField: it is kept, but" in told.out + told.err
    assert DerivedCharger.objects.get().templates["SupplierField"] == "^acme"


def test_the_command_lists_adds_and_removes_rows(capsys):
    def said(*arguments: str) -> str:
        call_command("derivedchargers", *arguments)
        return capsys.readouterr().out

    assert "no derived chargers" in said("list")
    row = said(
        "add", "wholesale", "--tenant", "brand", "--set", "AccountField=^R-001", "--filter", "usage(>=1)"
    )
    assert row.endswith(": wholesale of brand, *any, *any, *any, *any, if usage(>=1): AccountField ^R-001\n")
    assert said("list") == row
    with pytest.raises(CommandError, match="templates: there is no Acount"):
        call_command("derivedchargers", "add", "x", "--set", "Acount=^1")
    said("remove", row.partition(":")[0])
    assert not DerivedCharger.objects.exists()
