"""Rows of every kind, a few of each, so that every page of the admin has something to show."""

from __future__ import annotations

import hashlib
import random
from collections import defaultdict
from datetime import UTC, datetime, timedelta

from django.db import transaction
from django.db.models import Max

from apps.actions.models import Errand
from apps.actions.services.errands import take_errands
from apps.actions.services.plans import assign_plan, run_due_plans
from apps.actions.services.running import run_group
from apps.billing.models import (
    Activity,
    Bill,
    BillCycle,
    BillLine,
    BillRun,
    BillRunChunk,
    Discount,
    Notification,
    OneOffCharge,
    Payment,
    RecurringCharge,
)
from apps.charging.models import (
    Account,
    AllowanceCounter,
    BalanceTrigger,
    ChargingSession,
    LedgerBook,
    LedgerEntry,
    PeerDay,
    QuotaPolicy,
    Reservation,
    SharedGroup,
    TriggerFiring,
    TriggerSet,
    TriggerState,
)
from apps.charging.services.barring import bar_account
from apps.charging.services.ledger import post
from apps.charging.services.session_orders import order_reauthorisation
from apps.crm.services.api_tokens import create_api_token
from apps.events.models import Event
from apps.insight.models import UsageDay
from apps.insight.services.collecting import collect_statistics
from apps.insight.services.what_if import begin_what_if
from apps.invoicing.models import BillDocument
from apps.kernel.clock import utc_now
from apps.mediation.models import (
    Cdr,
    CdrFile,
    CdrFileDay,
    DerivedCharger,
    RatedDestination,
    SessionRecord,
    Source,
    SuspendedRecord,
)
from apps.mediation.services.batches import finish_batch, prepare_load_sequence
from apps.rating.domain.snapshot import encode
from apps.rating.domain.source import TariffSource
from apps.rating.domain.tariff_files import packed
from apps.rating.models import (
    KeptRow,
    PricePlan,
    Service,
    Supplier,
    TariffDraft,
    TariffLoad,
    TariffPlan,
    TariffVersion,
    Tenant,
)
from apps.rerating.services.jobs import make_job, work
from apps.subscribers.models import Subscriber
from apps.vouchers.domain.vouchers import VoucherAction
from apps.vouchers.models import RedemptionGuard, Voucher
from apps.vouchers.services.batches import NewBatch, generate_batch
from apps.vouchers.services.changes import change_vouchers
from bss_project.demo.operator import OPERATOR, ensure_products
from bss_project.operator_setup import set_up
from tests.actions.makers import make_action_plan, make_group
from tests.factories import make_subscriber
from tests.remembered import remembered

DAY = timedelta(days=1)


def make_world(subscribers: int = 4, records: int = 40, days: int = 10) -> None:
    """An operator with products, subscribers, usage, suspense, a bill run, bills and everything around them."""
    remembered(("world", subscribers, records, days), lambda: _make_world(subscribers, records, days))


def _make_world(subscribers: int, records: int, days: int) -> None:
    now = utc_now()
    tenant = set_up(OPERATOR)
    ensure_products(tenant)
    plans = list(PricePlan.objects.order_by("pk"))
    people = [
        make_subscriber(
            number,
            price_plan=plans[number % len(plans)].code,
            mode="prepaid" if plans[number % len(plans)].code.startswith("PREPAID") else "postpaid",
            customer_name=f"Ada Lovelace {number}",
            cycle=1 + number % 4,
            imsi=str(262990000000000 + number),
            city="Kiel",
            opening_balance_micros=25_000_000,
        )
        for number in range(1, subscribers + 1)
    ]
    make_usage(people, records, days, now)
    make_billing(people, now)
    collect_statistics(now, at_once=True)
    make_vouchers(people, now)
    make_actions(people, now)


def make_actions(people: list[Subscriber], now: datetime) -> None:
    """A plan that is due once and then monthly, a group that was refused, and a call that failed."""
    hook = {"kind": "*call_url", "extra_parameters": "https://crm.example/hook"}
    groups = [make_group("BONUS", {"kind": "*topup", "units": "1"}, hook), make_group("MONTHLY_BONUS")]
    ids = [person.payer.account_id for person in people]
    for code in ("WELCOME", "LOYALTY"):
        assign_plan(make_action_plan(code, (groups[0], "*asap"), (groups[1], "*monthly")), ids, now)
    run_due_plans(now)
    run_group(make_group("FEE", {"kind": "*debit", "units": "9999"}), ids[:2], now, key="world")
    take_errands(list(Event.objects.filter(kind="charging.errand_due")), now)
    Errand.objects.update(status=Errand.Status.FAILED, retry_at=None, done_at=now, result="answered 500")


def make_vouchers(people: list[Subscriber], now: datetime) -> None:
    """A batch of which one is redeemed, one blocked and one has expired, and an account that guessed."""
    tenant, account = people[0].tenant, Account.objects.filter(mode=Account.Mode.PREPAID).earliest("pk")
    order = NewBatch("Kiosk Holtenau", 12, 10_000_000, now + 90 * DAY)
    made = generate_batch(tenant, order, now, key="world", by="admin")
    vouchers = Voucher.objects.filter(batch=made.batch)
    redeemed, blocked, ended = made.vouchers[:3]
    vouchers.filter(serial=redeemed.serial).update(
        status="redeemed", account=account, redeemed_at=now, redemption_key="world", balance_micros=35_000_000
    )
    change_vouchers(tenant, VoucherAction.BLOCK, now, serials=[blocked.serial], reason="reported as stolen")
    vouchers.filter(serial=ended.serial).update(expires_at=now - DAY)
    for failures, subject in ((10, f"account:{account.pk}"), (3, "caller:crm:shop")):
        RedemptionGuard.objects.create(
            tenant=tenant,
            subject=subject,
            failures=failures,
            failed_at=now,
            locked_at=now if failures > 3 else None,
        )


def make_load(name: str, now: datetime) -> TariffVersion:
    """A supplier, a draft with an error, a load with a row that is only kept, and the version that it published."""
    version = TariffVersion.objects.create(
        published_at=now - 20 * DAY,
        content_hash="0" * 64,
        snapshot=encode(TariffSource()).data,
        note="By hand",
    )
    Supplier.objects.create(
        code=f"S{name}", name="Telco", tenant=Tenant.objects.earliest("pk"), subject=f"telco_{name}"
    )
    TariffDraft.objects.create(
        plan_code="*shared",
        made_at=now,
        made_by="pat",
        origin="new-prices.zip",
        archive=packed({"Users": "Tenant,UserName\n"}),
        problems=[["Rates.csv, line 2, column Rate", "“x” is not an amount", "invalid_input"]],
        error_count=1,
        checked_at=now,
    )
    KeptRow.objects.create(
        tariff_plan=TariffPlan.objects.get_or_create(code="*shared")[0],
        file="Users",
        cells=["default", "1001", "true", "Cli", "1", "10"],
    )
    TariffLoad.objects.create(
        loaded_at=version.published_at,
        loaded_by="pat",
        plan_code="*shared",
        origin="tariff",
        files={"Rates": 2, "Users": 1},
        changes={"Rates": {"new": 1, "replaced": 1, "removed": 0}},
        warnings=[["Users.csv", "the product does not act on this file yet", "not_acted_on"]],
        warning_count=1,
        version=version,
        is_new_version=True,
    )
    return version


def make_usage(
    people: list[Subscriber], records: int, days: int, now: datetime, name: str = "MSC01"
) -> list[CdrFile]:
    """A file a day with ``records`` rated records, a few of them in suspense, and one refused file."""
    chance = random.Random(7)
    services = list(Service.objects.order_by("pk"))
    destinations = [
        RatedDestination.objects.get_or_create(tag=tag)[0]
        for tag in ("DE_MOBILE", "FR_FIXED", "US", "INTERNET")
    ]
    source = Source.objects.create(code=name, name=f"Switch {name}", file_pattern=f"{name}_*")
    version = [make_load(f"{name}{number}", now) for number in (1, 2)][-1]
    files = []
    payers = {person.pk: person.payer.account for person in people}
    for back in range(days, 0, -1):
        at = now - back * DAY
        file = CdrFile.objects.create(
            name=f"{name}_{at:%Y%m%d}.cdr",
            source=source,
            content_hash=hashlib.sha256(f"{name} {back}".encode()).hexdigest(),
            state=CdrFile.State.LOADED,
            size_octets=records * 120,
            records=records + 3,
            rated=records,
            suspended=2,
            duplicates=1,
            first_start=at,
            last_start=at + timedelta(hours=2),
            tariff_version=version,
            taken_at=at,
            loaded_at=at + timedelta(seconds=4),
        )
        prepare_load_sequence()
        with transaction.atomic():
            finish_batch(file)
        rows = []
        for number in range(records):
            person, service = chance.choice(people), chance.choice(services)
            usage = chance.randint(1, 900) * (40_000 if service.type_of_record == "data" else 1)
            rows.append(
                Cdr(
                    file=file,
                    source=source,
                    record_id=f"{back}-{number}",
                    account=payers[person.pk],
                    subscriber=person,
                    service=service,
                    price_plan=person.plans.first().price_plan,
                    destination=chance.choice(destinations),
                    start=at + timedelta(seconds=number * 7200 / records),
                    other_party="internet" if service.type_of_record == "data" else f"49171{number:07d}",
                    usage=usage,
                    free_usage=usage // 3,
                    billed_usage=usage,
                    cost_micros=chance.randint(0, 900_000),
                    raw=b"\x0a\x03abc",
                )
            )
        after = Cdr.objects.aggregate(last=Max("pk"))["last"] or 0
        Cdr.objects.bulk_create(rows)
        last = Cdr.objects.aggregate(last=Max("pk"))["last"] or 0
        costs: dict[tuple, int] = defaultdict(int)
        for row in rows:
            costs[row.start.date(), row.service, row.price_plan] += row.cost_micros
        for (day, service, plan), cost in costs.items():
            CdrFileDay.objects.create(
                file=file,
                day=day,
                service=service,
                price_plan=plan,
                cost_micros=cost,
                after_cdr=after,
                last_cdr=last,
            )
            counted, _ = UsageDay.objects.get_or_create(
                tenant=plan.tenant, day=day, service=service, price_plan=plan
            )
            counted.revenue_micros += cost
            counted.save()
        file.cost_micros = sum(row.cost_micros for row in rows)
        file.save()
        other = chance.choice(["unauthorised_destination", "future_date"])
        for number, reason in enumerate(("unknown_subscriber", other)):
            SuspendedRecord.objects.create(
                file=file,
                source=source,
                byte_offset=number * 100,
                raw=b"\x0a\x03xyz",
                reason=reason,
                message="nobody holds this number at that time",
                record_id=f"s{back}-{number}",
                service_code="voice",
                msisdn="4917000000000",
                other_party="49171222",
                start=at,
                usage=60,
                created_at=at,
            )
        files.append(file)
        compared = rows[0]
        SessionRecord.objects.create(
            source=source,
            record_id=compared.record_id,
            account=compared.account,
            subscriber=compared.subscriber,
            service=compared.service,
            start=compared.start,
            usage=compared.usage,
            session_ref="gw;1;2",
            taken_at=at,
            due_at=at,
            state=chance.choice(SessionRecord.State.values),
            difference_micros=10_000,
        )
    CdrFile.objects.create(
        name="broken.cdr",
        state=CdrFile.State.REFUSED,
        error="offset 0: not a stream of CDR messages",
        content_hash=hashlib.sha256(f"{name} refused".encode()).hexdigest(),
        taken_at=now,
    )
    return files


def make_billing(people: list[Subscriber], now: datetime) -> None:
    """A completed and a stopped run, a bill for everybody with lines and a document, charges and notifications."""
    voice = Service.objects.get(code="voice")
    end = datetime(now.year, now.month, 1, tzinfo=UTC)
    start = (end - DAY).replace(day=1)
    cycle = BillCycle.objects.order_by("number").first()
    assert cycle is not None
    activity = Activity.objects.create(
        type=Activity.Type.FULL_BILLRUN,
        payload={"cycle": cycle.number, "year": start.year, "month": start.month},
        status=Activity.Status.COMPLETED,
        cycle=cycle,
        queued_by="admin",
        queued_at=now,
        finished_at=now,
    )
    run = BillRun.objects.create(
        activity=activity,
        cycle=cycle,
        period_start=start,
        period_end=end,
        usage_sequence=5,
        state=BillRun.State.COMPLETED,
        accounts=len(people),
        started_at=now - timedelta(minutes=5),
        finished_at=now,
    )
    BillRunChunk.objects.create(
        run=run,
        number=1,
        first_account=1,
        last_account=9,
        accounts=len(people),
        state=BillRunChunk.State.DONE,
        bills=len(people),
        finished_at=now,
    )
    stopped = BillRun.objects.create(
        cycle=cycle,
        period_start=end,
        period_end=end + 31 * DAY,
        usage_sequence=9,
        state=BillRun.State.STOPPED,
        accounts=10,
        started_at=now,
    )
    for number in range(4):
        BillRunChunk.objects.create(
            run=stopped,
            number=number,
            first_account=number,
            last_account=number,
            accounts=2,
            state=BillRunChunk.State.DONE if number < 2 else BillRunChunk.State.PENDING,
        )
    for number, person in enumerate(people):
        account = person.payer.account
        bill = Bill.objects.create(
            tenant=person.tenant,
            account=account,
            cycle=cycle,
            run=run,
            number=f"R{number + 1:05d}",
            kind=account.mode,
            status=("unpaid", "paid", "new")[number % 3],
            period_start=start,
            period_end=end,
            issued_on=end.date(),
            due_on=end.date() + timedelta(days=14),
            currency="EUR",
            recurring_micros=9_990_000,
            usage_micros=1_230_000,
            tax_micros=2_130_000,
            rounding_micros=-6_300,
            total_micros=13_350_000,
            usage_sequence=5,
            usage_from=start,
            created_at=now,
        )
        for line, (kind, text, exact, amount) in enumerate(
            (
                ("recurring", "Monthly fee", 9_990_000, 9_990_000),
                ("usage", "Voice", 1_234_500, 1_230_000),
                ("tax", "VAT 19 %", 2_131_800, 2_130_000),
            ),
            1,
        ):
            BillLine.objects.create(
                bill=bill,
                number=line,
                kind=kind,
                description=text,
                exact_micros=exact,
                amount_micros=amount,
                subscriber=person if kind != "tax" else None,
                service=voice if kind == "usage" else None,
                unit="SEC",
                quantity=3600 if kind == "usage" else 1,
                tax_category="S",
                tax_rate_millionths=190_000,
                records=12 if kind == "usage" else 0,
                rate_millionths=190_000 if kind == "tax" else None,
            )
        if bill.status != "new":
            BillDocument.objects.create(
                bill=bill,
                path=f"{end:%Y}/{end:%m}/bc_{cycle.number}/{bill.pk}.pdf",
                sha256="0" * 64,
                size_octets=1000,
                engine="weasyprint",
                rendered_at=now,
            )
        if bill.status == "paid":
            Payment.objects.create(bill=bill, at=now, amount_micros=13_350_000, reference=f"TX{number}")
        AllowanceCounter.objects.create(
            subscriber=person,
            service=voice,
            origin=f"plan:{person.plans.first().price_plan_id}",
            year=now.year,
            month=now.month,
            used=1800,
        )
    account = Account.objects.order_by("pk").first()
    assert account is not None
    post(
        account,
        -250_000,
        kind=LedgerEntry.Kind.USAGE,
        book=LedgerBook.Code.REVENUE,
        cause="cdr-file:1:1",
        at=now,
    )
    make_session(people[0], now)
    rerate(people[0].tenant, now)
    RecurringCharge.objects.create(
        account=account, description="Static address", monthly_amount_micros=4_000_000, start=start
    )
    OneOffCharge.objects.create(account=account, description="New SIM", amount_micros=9_950_000, at=now)
    Discount.objects.create(account=account, description="Loyalty", rate_millionths=100_000, start=start)
    create_api_token(account.tenant.code, "Web shop", ["crm_agent"], now=now, lifetime=90 * DAY, by="root")
    Notification.objects.create(at=now, level="info", text="Bill run 1 is complete.", activity=activity)
    Notification.objects.create(at=now, level="error", text="broken.cdr was refused.")


def rerate(tenant: Tenant, now: datetime) -> None:
    """Re-ratings that are simulated and change the records that were put into the tables at a price of nothing, and
    what-ifs that have begun."""
    for note in ("a slip", "again"):
        work(make_job(tenant, now - 400 * DAY, now, now=now, by="root", note=note).pk, utc_now)
        version = TariffVersion.objects.earliest("pk").pk
        begin_what_if(tenant, now - 30 * DAY, now, now=now, by="root", version_id=version, note=note)


def make_session(person: Subscriber, now: datetime) -> None:
    """An open session that holds some of its account's money, and the policies around it."""
    account = person.payer.account
    session = ChargingSession.objects.create(
        id=1,
        key="0" * 32,
        session_id="gw.example;1;1",
        account=account,
        subscriber=person,
        opened_at=now,
        updated_at=now,
        expires_at=now + DAY,
        due_at=now + DAY,
        peer="gw.example",
    )
    balance = account.balances.first()
    assert balance is not None
    order_reauthorisation(session, "root", now)
    PeerDay.objects.create(
        peer="gw.example", day=now.date(), currency="EUR", refunded_micros=2_000_000, refusals=1
    )
    Reservation.objects.create(session=session, meter=0, holder_id=balance.pk, amount=1_000_000)
    QuotaPolicy.objects.create(service=Service.objects.get(code="data"), default_units=10_485_760)
    SharedGroup.objects.create(tenant=person.tenant, code="FAMILY")
    _watch(session.account)


def _watch(account: Account) -> None:
    """Triggers, one that fired, and an account that is barred for it."""
    terms = {"tenant": account.tenant, "currency": account.currency, "threshold_micros": 5_000_000}
    for run in ("wholesale", "partner"):
        DerivedCharger.objects.create(tenant="default", run=run, templates={"AccountField": "^R-001"})
    BalanceTrigger.objects.create(name="low", kind="below", action="reauthorise", **terms)
    TriggerSet.objects.create(tenant=account.tenant, code="CAP")
    chosen = TriggerSet.objects.create(tenant=account.tenant, code="FAIR_USE")
    BalanceTrigger.objects.create(
        name="fair", kind="max_event_counter", balance_tag="", trigger_set=chosen, actions="THROTTLE", **terms
    )
    fraud = BalanceTrigger.objects.create(
        name="fraud", kind="spent", window_s=3_600, action="bar", account=account, **terms
    )
    now = utc_now()
    for key in (3, 4):
        TriggerFiring.objects.create(
            trigger=fraud,
            account=account,
            at=now,
            kind="spent",
            action="bar",
            threshold_micros=5_000_000,
            value_micros=7_500_000,
            cause=f"session:1:2:0.0:{key}",
        )
    TriggerState.objects.create(trigger=fraud, account=account, steps="1780000000:7500000")
    bar_account(account, "fraud", now, by="trigger:fraud")
