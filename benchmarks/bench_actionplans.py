"""An action plan that tops 100,000 accounts up, against the bare SQL that writes the same rows.

Bare are four statements in one transaction: entries, balances, events and the due rows' next times, each straight from
the tables. The plan locks, reads, decides account by account, and commits every 5,000 accounts.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from benchmarks.protocol import Measurement, Setup

TITLE = "Action plan, a top-up of 100,000 accounts"
DATABASES = ("mariadb", "sqlite")

ACCOUNTS = 100_000
START = datetime(2026, 5, 1, tzinfo=UTC)
DAY = timedelta(days=1)
AMOUNT_MICROS = 5_000_000


def main(setup: Setup) -> list[Measurement]:
    from apps.actions.services.plans import assign_plan, run_due_plans

    accounts = setup.scaled(ACCOUNTS, 1_000)
    setup.progress(f"{accounts:,} accounts")
    assign_plan(_plan(), _accounts(accounts), START)
    # The first run makes what is made once: books, caches.
    run_due_plans(START + DAY)
    _check(accounts, times=1)
    with setup.measure() as bare:
        _bare_sql(START + 2 * DAY)
    setup.progress(f"bare SQL: {bare.seconds:.1f} s")
    _check(accounts, times=2)
    with setup.measure() as timing:
        done = run_due_plans(START + 3 * DAY)
    setup.progress(f"action plan: {timing.seconds:.1f} s")
    if done != accounts:
        raise RuntimeError(f"{done} accounts were topped up, not {accounts}")
    _check(accounts, times=3)
    return [
        Measurement(
            "one worker",
            timing.seconds,
            "s",
            timing.peak_mb,
            against="bare SQL, s",
            baseline=bare.seconds,
            # On SQLite the bare statements run inside this process, without a round trip.
            ratio_at_most=3.0 if setup.database == "mariadb" else None,
            note=f"{timing.rate(accounts):,.0f} accounts/s",
        )
    ]


def _plan():
    from apps.actions.models import Action, ActionGroup, ActionPlan, ActionPlanEntry
    from apps.rating.models import TariffPlan

    tariff_plan = TariffPlan.objects.create(code="*shared")
    group = ActionGroup.objects.create(tariff_plan=tariff_plan, code="TOPUP")
    Action.objects.create(group=group, kind="*topup", units="5")
    plan = ActionPlan.objects.create(tariff_plan=tariff_plan, code="DAILY")
    ActionPlanEntry.objects.create(plan=plan, group=group, timing="*daily")
    return plan


def _accounts(count: int) -> list[int]:
    from apps.charging.models import Account
    from apps.rating.models import Tenant
    from apps.subscribers.models import Customer

    tenant, _ = Tenant.objects.get_or_create(code="default", defaults={"currency": "EUR"})
    customer = Customer.objects.create(tenant=tenant, number="C", name="Bench", created_at=START)
    Account.objects.bulk_create(
        [
            Account(
                tenant=tenant,
                customer=customer,
                number=f"A{number}",
                mode="prepaid",
                currency="EUR",
                opened_at=START,
            )
            for number in range(count)
        ],
        batch_size=5_000,
    )
    return list(Account.objects.order_by("pk").values_list("pk", flat=True))


def _bare_sql(due_at: datetime) -> None:
    """The rows that the plan writes for ``due_at``."""
    from django.db import connection, transaction

    from apps.storage.bulk import database_instant
    from apps.storage.dialect import joined

    at, after = database_instant(due_at), database_instant(due_at + DAY)
    due = (
        "FROM actions_dueaction d JOIN actions_accountplan p ON p.id = d.assignment_id"
        " JOIN charging_balance b ON b.account_id = p.account_id AND b.tag = '*default'"
    )
    account = "CAST(p.account_id AS CHAR)"
    cause = joined("'action:plan:'", "CAST(d.id AS CHAR)", f"':{int(due_at.timestamp())}:0:0'")
    body = joined(
        "'{\"account_id\":'", account, f'\',"kind":"top_up","amount_micros":{AMOUNT_MICROS},"units":0}}\''
    )
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT book_id FROM charging_ledgerentry LIMIT 1")
        (book_id,) = cursor.fetchone()
        for statement in (
            "INSERT INTO charging_ledgerentry (balance_id, at, kind, book_id, amount_micros, units, cause, note)"
            f" SELECT b.id, '{at}', 'top_up', {book_id}, {AMOUNT_MICROS}, 0, {cause}, '' {due}",
            f"UPDATE charging_balance SET amount_micros = amount_micros + {AMOUNT_MICROS}"
            " WHERE tag = '*default' AND account_id IN (SELECT account_id FROM actions_accountplan)",
            "INSERT INTO events_event (kind, version, tenant, subject, body, at)"
            f" SELECT 'charging.account_credited', 1, 'default', {joined(chr(39) + 'account:' + chr(39), account)},"
            f" {body}, '{at}' {due}",
            f"UPDATE actions_dueaction SET due_at = '{after}', done_at = '{at}', done_count = done_count + 1",
        ):
            cursor.execute(statement)


def _check(accounts: int, times: int) -> None:
    from django.db.models import Sum

    from apps.actions.models import DueAction
    from apps.charging.models import Balance, LedgerEntry
    from apps.events.models import Event

    held = Balance.objects.aggregate(sum=Sum("amount_micros"))["sum"]
    found = (
        LedgerEntry.objects.count(),
        Event.objects.count(),
        held,
        DueAction.objects.filter(done_count=times).count(),
    )
    wanted = (accounts * times, accounts * times, accounts * times * AMOUNT_MICROS, accounts)
    if found != wanted:
        raise RuntimeError(f"entries, events, sum and due rows are {found}, not {wanted}")
