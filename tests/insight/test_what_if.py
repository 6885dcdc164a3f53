"""What-ifs: past traffic by another tariff, beside what was charged; nothing moves."""

from __future__ import annotations

import io
import json
import os
import signal
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from apps.charging.models import Account
from apps.insight.domain.what_if import in_sample
from apps.insight.models import WhatIf, WhatIfAccount, WhatIfGroup, WhatIfShard
from apps.insight.selectors import what_if_lines, what_if_parts, what_if_totals, winners_and_losers
from apps.insight.services import what_if as service
from apps.insight.tasks import work_on_what_if
from apps.kernel.clock import utc_now
from apps.kernel.errors import Conflict, InvalidInput
from apps.mediation.models import Cdr
from apps.rating.models import PricePlanService, TariffVersion, Tenant
from apps.rating.selectors.tariffs import look_again
from apps.rating.services.drafts import make_draft
from apps.rating.services.publishing import publish
from apps.rerating.selectors import totals_of
from tests import python_processes
from tests.factories import make_subscriber
from tests.insight.work_on_what_if import STEPS
from tests.rating.folders import encoded
from tests.rerating.scenes import (
    APRIL,
    MARCH,
    MINUTE,
    NOW,
    correct_price,
    job_of,
    load_calls,
    make_operator,
    numbers,
)

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def folders(settings: Any, tmp_path: Path) -> None:
    look_again()
    settings.CDR_NEW_DIR = tmp_path / "new_cdr"
    settings.CDR_PROCESSED_DIR = tmp_path / "processed_cdr"
    settings.CDR_ERROR_DIR = tmp_path / "error_cdr"
    settings.CDR_NEW_DIR.mkdir()


def newest() -> int:
    return TariffVersion.objects.latest("pk").pk


def what_if(**fields: Any) -> WhatIf:
    """One for March, worked through."""
    if "draft_id" not in fields:
        fields.setdefault("version_id", newest())
    begun = service.begin_what_if(Tenant.objects.get(), MARCH, APRIL, now=NOW, by="mary", **fields)
    service.work(begun.pk, lambda: NOW)
    begun.refresh_from_db()
    return begun


def sums(found: WhatIf) -> dict[str, tuple[int, int]]:
    return {
        row["name"]: (row["before_micros"], row["after_micros"])
        for row in what_if_parts(found.pk, "accounts")
    }


def test_it_says_what_each_account_would_pay_and_moves_nothing() -> None:
    make_operator("postpaid", "prepaid", "postpaid")
    load_calls({"by": 1}, {"by": 1, "duration_s": 120}, {"by": 2}, {"by": 3, "service": "sms"})
    correct_price(2 * MINUTE)
    before = numbers()
    found = what_if()
    assert found.state == WhatIf.State.DONE
    account = dict(Account.objects.values_list("pk", "number")).values()
    assert sums(found) == dict(
        zip(sorted(account), [(3 * MINUTE, 6 * MINUTE), (MINUTE, 2 * MINUTE), (90_000, 90_000)], strict=True)
    )
    assert winners_and_losers(found.pk) == (0, 2)
    (total,) = what_if_totals(found.pk)
    assert (total.records, total.refused, total.added_micros) == (4, 0, 4 * MINUTE)
    assert [row["name"] for row in what_if_parts(found.pk, "services")] == ["Voice", "SMS"]
    assert numbers() == before


calls = st.lists(
    st.fixed_dictionaries(
        {
            "by": st.integers(1, 3),
            "day": st.integers(1, 31),
            "minute": st.integers(0, 59),
            "duration_s": st.integers(1, 400),
        }
    ),
    min_size=1,
    max_size=25,
)


@hypothesis_settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(files=st.lists(calls, min_size=1, max_size=3), free=st.integers(0, 8), price=st.integers(0, 200_000))
def test_by_the_same_tariff_nothing_differs_and_by_another_it_says_what_re_rating_would(
    files: list[list[dict[str, Any]]], free: int, price: int
) -> None:
    from django.db import transaction

    with transaction.atomic():
        make_operator("postpaid", "prepaid", "postpaid", free_minutes=free)
        for of_file in files:
            load_calls(*(dict(call) for call in of_file))
        for before, after in sums(what_if()).values():
            assert before == after
        correct_price(price)
        (total,) = what_if_totals(what_if().pk)
        (job,) = totals_of(job_of().pk)
        assert (total.records, total.before_micros, total.after_micros) == (
            job.records,
            job.cost_before_micros,
            job.cost_after_micros,
        )
        transaction.set_rollback(True)
    look_again()


def test_a_draft_prices_before_it_is_live() -> None:
    make_operator("postpaid")
    PricePlanService.objects.filter(service__code="voice").update(price_micros=None)
    from apps.rating.domain.tariff_files import read_tariff_files
    from apps.rating.services.tariff_loading import load_tariff_plan

    load_tariff_plan(read_tariff_files(encoded(), plan_code="*shared"), MARCH)
    look_again()
    load_calls({"duration_s": 60}, {"duration_s": 60, "other_party": "33123"})
    assert Cdr.objects.count() == 1, "France has no rate"
    rates = "RT_FIX,0,6,60,60,0\nRT_MOB,0,6,60,60,0\n"
    draft = make_draft(encoded(Rates=rates), NOW)
    assert list(sums(what_if(draft_id=draft.pk)).values()) == [(700_000, 6_000_000)]
    assert list(sums(what_if()).values()) == [(700_000, 700_000)]
    begun = service.begin_what_if(Tenant.objects.get(), MARCH, APRIL, now=NOW, by="", draft_id=draft.pk)
    load_tariff_plan(read_tariff_files(encoded(Destinations="Id,Prefix\nNEW,47\n"), plan_code="*shared"), NOW)
    service.work(begun.pk, lambda: NOW)
    begun.refresh_from_db()
    assert begun.state == WhatIf.State.FAILED
    assert "what is live has changed" in begun.message


def test_records_that_it_cannot_price_count_as_before_and_are_told() -> None:
    make_operator("postpaid")
    load_calls({}, {"service": "sms"})
    PricePlanService.objects.filter(service__code="voice").delete()
    publish(NOW)
    (total,) = what_if_totals(what_if().pk)
    assert (total.records, total.refused, total.added_micros) == (2, 1, 0)


def test_a_sample_takes_whole_accounts_and_the_same_seed_the_same_ones() -> None:
    make_operator(*["postpaid"] * 12)
    load_calls(*({"by": number, "day": day} for number in range(1, 13) for day in (3, 4)))
    taken = {seed: set(sums(what_if(sample_percent=50, seed=seed))) for seed in ("a", "b", "c")}
    assert taken["a"] == set(sums(what_if(sample_percent=50, seed="a")))
    assert len({frozenset(accounts) for accounts in taken.values()}) > 1
    accounts = dict(Account.objects.values_list("number", "pk"))
    assert taken["a"] == {number for number, pk in accounts.items() if in_sample(pk, 50, "a")}
    assert all(row["records"] == 2 for row in what_if_parts(what_if(sample_percent=50).pk, "accounts"))


def test_a_run_of_costs_gives_the_margin() -> None:
    make_operator("postpaid")
    load_calls({}, {"duration_s": 120})
    supplier = make_subscriber(9, plan=PricePlanService.objects.all()[0].price_plan)
    for cdr in list(Cdr.objects.all()):
        cdr.pk, cdr.run, cdr.cost_micros = None, "wholesale", 40_000
        cdr.account_id = Account.objects.get(payers__subscriber=supplier).pk
        cdr.save()
    correct_price(100_000)
    (total,) = what_if_totals(what_if(cost_run="wholesale").pk)
    assert (total.records, total.after_micros, total.cost_micros) == (2, 300_000, 80_000)
    (row,) = what_if_parts(what_if(cost_run="wholesale").pk, "plans")
    assert row["cost_micros"] == 80_000


def test_a_dead_workers_portion_is_taken_over_and_a_late_one_adds_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(service, "ACCOUNTS_A_SHARD", 1)
    make_operator("postpaid", "postpaid")
    load_calls({"by": 1}, {"by": 2})
    begun = service.begin_what_if(Tenant.objects.get(), MARCH, APRIL, now=NOW, by="", version_id=newest())
    shard = service._claim(begun.pk, NOW)
    assert shard is not None
    service.work(begun.pk, lambda: NOW)
    begun.refresh_from_db()
    assert (begun.state, WhatIfShard.objects.filter(finished_at=None).count()) == ("running", 1)
    later = NOW + service.CLAIM + timedelta(seconds=1)
    assert service.continue_what_ifs(later) == 1
    service.work(begun.pk, lambda: later)
    begun.refresh_from_db()
    assert begun.state == WhatIf.State.DONE
    late = service.simulate(begun, shard, service.other_tariff(begun))
    service._write(shard, late, later)
    assert WhatIfAccount.objects.count() == 2
    assert sum(WhatIfGroup.objects.values_list("records", flat=True)) == 2


def test_a_task_does_a_portion_at_a_time_and_ends_when_it_is_cancelled(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from apps.insight import tasks

    monkeypatch.setattr(service, "ACCOUNTS_A_SHARD", 1)
    monkeypatch.setattr(tasks, "PORTION_S", 0)
    sent: list[int] = []
    monkeypatch.setattr(service, "send_again", sent.append)
    make_operator("postpaid", "postpaid", "postpaid")
    begun = service.begin_what_if(Tenant.objects.get(), MARCH, APRIL, now=NOW, by="", version_id=newest())
    work_on_what_if(begun.pk)
    assert (sent, WhatIfShard.objects.exclude(finished_at=None).count()) == ([begun.pk], 1)
    service.cancel_what_if(begun.pk, NOW)
    work_on_what_if(begun.pk)
    assert (sent, WhatIfShard.objects.exclude(finished_at=None).count()) == ([begun.pk], 1)
    with pytest.raises(Conflict, match="cancelled already"):
        service.cancel_what_if(begun.pk, NOW)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"sample_percent": 0}, "1 to 100 per cent"),
        ({"version_id": 1, "draft_id": 1}, "a tariff version or a draft"),
        ({"version_id": 1, "cost_run": "it's"}, "no run of costs"),
    ],
)
def test_bad_input_is_refused(fields: dict[str, Any], message: str) -> None:
    make_operator("postpaid")
    with pytest.raises(InvalidInput, match=message):
        service.begin_what_if(Tenant.objects.get(), MARCH, APRIL, now=NOW, by="", **fields)


def said(*words: str) -> str:
    out = io.StringIO()
    call_command("whatif", *words, stdout=out, stderr=out)
    return out.getvalue()


def test_the_command_runs_shows_and_exports() -> None:
    make_operator("postpaid", "postpaid")
    load_calls({"by": 1}, {"by": 2, "duration_s": 120})
    correct_price(45_000)
    text = said(
        "run", "--from", "2026-03-01", "--until", "2026-04-01", "--as-of", str(newest()), "--workers", "1"
    )
    assert "2 records: 0.27 EUR → 0.135 EUR (-0.135 EUR); 0 cannot be priced and count as before" in text
    assert "2 accounts would pay less, 0 more." in text
    number = str(WhatIf.objects.get().pk)
    lines = said("show", number, "--csv", "plans").splitlines()
    assert lines[0] == (
        "plan,records,refused,free_before,free_after,before,after,difference,cost,margin,currency"
    )
    assert lines[1] == "Plan,2,0,0,0,0.27,0.135,-0.135,0.00,0.135,EUR"
    assert len(list(what_if_lines(int(number), "accounts"))) == 3
    assert "by tariff version" in said("list")
    with pytest.raises(CommandError, match="done already"):
        said("cancel", number)
    with pytest.raises(CommandError, match="at least one worker"):
        said("run", "--from", "2026-03-01", "--until", "2026-04-01", "--as-of", "1", "--workers", "0")


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("steps", [("", ""), *((step,) for step in STEPS)])
def test_processes_side_by_side_or_killed_do_each_portion_once(
    steps: tuple[str, ...], database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "ACCOUNTS_A_SHARD", 1)
    make_operator(*["postpaid"] * 6)
    load_calls(*({"by": number, "day": day} for number in range(1, 7) for day in (3, 4)))
    correct_price(2 * MINUTE)
    begun = service.begin_what_if(Tenant.objects.get(), MARCH, APRIL, now=NOW, by="", version_id=newest())
    environment = {
        **os.environ,
        "DATABASE_URL": database_url,
        "DJANGO_SETTINGS_MODULE": "bss_project.settings",
    }
    module = "tests.insight.work_on_what_if"
    processes = [
        python_processes.start(["-m", module, str(begun.pk), *filter(None, (step,))], env=environment)
        for step in steps
    ]
    for step, process in zip(steps, processes, strict=True):
        assert process.wait(timeout=120) == (-signal.SIGKILL if step else 0)
    begun.refresh_from_db()
    assert (begun.state == WhatIf.State.DONE) != any(steps)
    later = utc_now() + service.CLAIM + timedelta(seconds=1)
    service.work(begun.pk, lambda: later)
    begun.refresh_from_db()
    assert begun.state == WhatIf.State.DONE
    assert list(sums(begun).values()) == [(2 * MINUTE, 4 * MINUTE)] * 6


def test_the_admin_begins_one_and_shows_figures_charts_and_lists() -> None:
    make_operator("postpaid", "postpaid")
    load_calls({"by": 1}, {"by": 2, "duration_s": 120})
    correct_price(2 * MINUTE)
    client = Client()
    client.force_login(User.objects.create_superuser("root", "", "only-for-tests"))
    begin = reverse("admin:insight_whatif_do_list", args=("begin",))
    fields = {
        "tenant": Tenant.objects.get().pk,
        "first_day": "2026-03-01",
        "end_day": "2026-04-01",
        "as_of": str(newest()),
        "sample": "100",
        "seed": "1",
    }
    assert "no tariff version 4711" in client.post(begin, fields | {"as_of": "4711"}).content.decode()
    answer = client.post(begin, fields)
    found = WhatIf.objects.get()
    page = answer["Location"]
    assert page == reverse("admin:insight_whatif_change", args=(found.pk,))
    assert "0 of 1" in client.get(page).content.decode()
    service.work(found.pk, lambda: NOW)
    shown = client.get(page)
    charts = {chart["key"]: json.loads(chart["data"])["datasets"] for chart in shown.context["charts"]}
    assert [one["data"] for one in charts["plans"]] == [[0.27], [0.54]]
    assert charts["accounts"][0]["data"] == [0.18, 0.09]
    for part, title in (("destinations", "Destination"), ("accounts", "Account")):
        assert title in client.get(page, {"panel": part}).content.decode()
    export = client.post(
        reverse("admin:insight_whatif_do", args=(found.pk, "export")), {"by": "destinations"}
    )
    assert export.content.splitlines()[1].endswith(b"EUR")
    assert client.get(reverse("admin:insight_whatif_changelist")).status_code == 200
