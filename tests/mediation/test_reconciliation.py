"""Records of sessions that were charged in real time: compared, and the difference settled once, in any order."""

from __future__ import annotations

import signal
from datetime import datetime, timedelta

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.urls import reverse

from apps.charging.domain.requests import Operation
from apps.charging.models import ChargingSession, LedgerEntry
from apps.kernel.errors import InvalidInput
from apps.mediation.models import Cdr, DerivedCharger, SessionRecord
from apps.mediation.services.load_file import load_file
from apps.mediation.services.reconciling import reconcile, settle
from apps.rating.selectors.tariffs import look_again
from tests.charging.online import item
from tests.charging.stored import (
    NOW,
    assert_books_are_right,
    charge_now,
    default_balance,
    make_prepaid,
    request,
)
from tests.factories import make_plan
from tests.mediation.loaders import finish, start
from tests.mediation.samples import NOW as LOADED_AT
from tests.mediation.samples import cdr, new_file, stream
from tests.patience import eventually

pytestmark = pytest.mark.django_db
EURO = 1_000_000
MINUTE = 60_000
NUMBER = "4930123456"
HOUR = timedelta(hours=1)


def make_customer(balance_micros: int = EURO) -> None:
    make_prepaid(balance_micros=balance_micros)
    call_command("chargingmode", "C1", "prepaid")
    look_again()


def talk(seconds: int, session: str = "s", at: datetime = NOW, *, service: str = "voice") -> None:
    """A call that is charged in real time."""
    begin(session, at, service=service)
    hang_up(seconds, session, at, service=service)


def begin(session: str = "s", at: datetime = NOW, *, service: str = "voice") -> None:
    charge_now(request(Operation.INITIATE, item(service, 600, destination=NUMBER), session=session, at=at))


def hang_up(seconds: int, session: str = "s", at: datetime = NOW, *, service: str = "voice") -> None:
    used = item(service, None, seconds, destination=NUMBER)
    ended = at + timedelta(seconds=seconds)
    charge_now(request(Operation.TERMINATE, used, session=session, number=1, at=ended))


def record(
    seconds: int, session: str = "s", at: datetime = NOW, *, number: int = 1, **fields: object
) -> None:
    """The network's record of it, loaded as a file of its own."""
    values = {
        "start": int(at.timestamp()),
        "duration_s": seconds,
        "session_id": session,
        "other_party": NUMBER,
    }
    made = cdr(number, **{**values, **fields})
    load_file(new_file(stream([made]), f"{number}.cdr"), now=at + timedelta(seconds=seconds))


def compare(policy: str = "show", after: timedelta = HOUR) -> dict[str, int]:
    return dict(reconcile(NOW + after, by="test", policy=policy).states)


def states() -> list[tuple[str, int]]:
    return list(SessionRecord.objects.order_by("record_id").values_list("state", "difference_micros"))


def test_a_record_that_agrees_with_its_session_is_charged_by_the_session_alone():
    make_customer()
    talk(120)
    record(120)
    assert states() == [("waiting", 0)]
    assert compare() == {"agrees": 1}
    assert default_balance().amount_micros == EURO - 2 * MINUTE
    found = SessionRecord.objects.get()
    assert (found.session, found.charged_usage) == (ChargingSession.objects.get(), 120)
    assert compare() == {}, "once"


@pytest.mark.parametrize(("seconds", "difference"), [(180, MINUTE), (60, -MINUTE), (0, -2 * MINUTE)])
def test_a_difference_is_shown_and_moves_nothing_until_it_is_adjusted_once(seconds, difference):
    make_customer()
    talk(120)
    record(seconds)
    assert compare() == {"differs": 1}
    assert states() == [("differs", difference)]
    assert default_balance().amount_micros == EURO - 2 * MINUTE
    record_id = SessionRecord.objects.get().pk
    assert [settle([record_id], "adjust", NOW + HOUR, by="ann") for _ in range(2)] == [1, 0]
    assert states() == [("adjusted", difference)]
    assert default_balance().amount_micros == EURO - 2 * MINUTE - difference
    entry = LedgerEntry.objects.get(kind="adjustment")
    assert (entry.cause, entry.amount_micros) == (f"reconciliation:{record_id}", -difference)
    assert_books_are_right()


def test_a_setting_adjusts_or_ignores_differences_at_once(settings):
    make_customer()
    for number, policy in enumerate(("adjust", "ignore")):
        talk(120, policy, NOW + number * HOUR)
        record(180, policy, NOW + number * HOUR, number=number)
        settings.RECONCILIATION = policy
        compare("", after=(number + 1) * HOUR)
    assert states() == [("adjusted", MINUTE), ("ignored", MINUTE)]
    assert default_balance().amount_micros == EURO - 5 * MINUTE
    with pytest.raises(InvalidInput, match="it may be show, adjust or ignore"):
        compare("guess")


def test_a_record_that_comes_before_its_session_ends_waits_for_it():
    make_customer()
    begin()
    record(120)
    assert compare(after=timedelta(minutes=10)) == {"waiting": 1}
    hang_up(120)
    assert compare("adjust") == {"agrees": 1}
    assert default_balance().amount_micros == EURO - 2 * MINUTE


@pytest.mark.parametrize("order", [(1, 2), (2, 1)])
def test_the_parts_of_a_session_are_compared_with_it_together_however_late_one_comes(order):
    make_customer()
    talk(240)
    parts = {1: (60, NOW), 2: (180, NOW + timedelta(seconds=60))}
    for number in order:
        seconds, at = parts[number]
        record(seconds, at=at, number=number, part=number)
        compare("adjust", after=number * HOUR)
    assert sum(difference for _, difference in states()) == 0
    assert default_balance().amount_micros == EURO - 4 * MINUTE
    assert_books_are_right()


def test_without_a_session_id_line_service_and_time_decide_within_the_tolerance():
    make_customer()
    talk(60, "early", NOW - timedelta(minutes=5))
    talk(120, "meant", NOW)
    talk(60, "late", NOW + timedelta(minutes=5))
    record(120, "", NOW + timedelta(seconds=20))
    record(60, "", NOW - timedelta(minutes=7), number=2)
    assert compare() == {"agrees": 1, "waiting": 1}
    found = SessionRecord.objects.get(state="agrees")
    assert found.session is not None
    assert found.session.session_id == "meant"


def test_a_record_without_any_session_is_a_difference_after_a_day(settings):
    make_customer()
    record(120)
    assert compare("adjust") == {"waiting": 1}
    assert compare("adjust", timedelta(days=2)) == {"adjusted": 1}
    assert default_balance().amount_micros == EURO - 2 * MINUTE
    # A session that is told of later still is charged by itself, which the ledger shows; its record is settled.
    assert compare("adjust", timedelta(days=3)) == {}


def test_a_record_that_waits_is_looked_at_again_after_a_pause_that_grows():
    make_customer()
    record(120)
    for minutes, told in (
        (10, {"waiting": 1}),
        (11, {}),
        (16, {"waiting": 1}),
        (20, {}),
        (600, {"waiting": 1}),
    ):
        assert compare(after=timedelta(minutes=minutes)) == told
    due = SessionRecord.objects.get().due_at
    assert due == NOW + timedelta(minutes=660), "an hour at most"


def test_messages_that_were_debited_at_once_each_match_one_record():
    make_customer()
    for number in range(2):
        event = request(Operation.EVENT, item("sms", 1, destination=NUMBER), session=f"m{number}", at=NOW)
        charge_now(event)
    for number in range(3):
        record(0, f"x{number}", number=number, service="sms", events=1)
    assert compare("adjust", timedelta(days=2)) == {"agrees": 2, "adjusted": 1}
    assert default_balance().amount_micros == EURO - 3 * 50_000


def test_units_that_were_free_in_the_session_stay_free():
    make_plan("FREE", voice=(MINUTE, 1))
    make_prepaid(plan="FREE", balance_micros=EURO)
    call_command("chargingmode", "C1", "prepaid")
    talk(120)
    record(120)
    assert default_balance().amount_micros == EURO - MINUTE
    assert compare("adjust") == {"agrees": 1}
    assert default_balance().amount_micros == EURO - MINUTE


def test_the_command_lists_compares_and_settles(capsys, tmp_path):
    def said(*arguments: str) -> str:
        call_command("reconcile", *arguments)
        return capsys.readouterr().out

    make_customer()
    talk(120)
    record(180)
    assert "1 record: 1 differs" in said("now")
    lines = said("list").splitlines()
    assert lines[1] == "default,C1,R000001,voice,2026-05-20T12:00:00Z,180,s,120,differs,0.06,EUR,,"
    assert "1 record in" in said("list", "--csv", str(tmp_path / "a.csv"))
    assert (tmp_path / "a.csv").read_text().splitlines() == lines
    with pytest.raises(CommandError, match="name the records"):
        call_command("reconcile", "adjust")
    assert "1 record: adjusted" in said("adjust", "R000001")
    assert default_balance().amount_micros == EURO - 3 * MINUTE
    assert said("list").count("\n") == 1


def test_staff_adjust_ignore_and_download_on_the_list(admin_client):
    make_customer()
    for number in (1, 2):
        talk(120, f"s{number}", NOW + number * HOUR)
        record(180, f"s{number}", NOW + number * HOUR, number=number)
    compare(after=5 * HOUR)
    url = reverse("admin:mediation_sessionrecord_changelist")
    first, second = SessionRecord.objects.order_by("pk").values_list("pk", flat=True)
    assert admin_client.get(url, {"state__exact": "differs"}).status_code == 200
    admin_client.post(url, {"action": "adjust_selected", "_selected_action": [first]})
    page = reverse("admin:mediation_sessionrecord_do", args=(second, "ignore"))
    assert admin_client.post(page).status_code == 302
    assert [state for state, _ in states()] == ["adjusted", "ignored"]
    answer = admin_client.post(url, {"action": "download_csv", "_selected_action": [first, second]})
    assert answer.content.decode().count("\n") == 3
    answer = admin_client.post(url, {"action": "download_xlsx", "_selected_action": [first, second]})
    assert answer.content.startswith(b"PK")


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("step", ["found", "compared", "posted", "settled", "done"])
def test_a_reconciliation_that_is_killed_at_any_step_adjusts_once(step, database_url, folders):
    make_customer()
    talk(120)
    record(180)
    process = start(["-m", "tests.mediation.kill_reconciling", step], database_url, folders)
    status, output = finish(process)
    assert status == -signal.SIGKILL, output

    def compared() -> bool:
        # The server may not have noticed yet that the other is dead, and hold its locks.
        compare("adjust", 2 * HOUR)
        return states() == [("adjusted", MINUTE)]

    eventually(compared, "the adjustment")
    assert default_balance().amount_micros == EURO - 3 * MINUTE
    assert_books_are_right()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("step", ["stored", "charged", "committing", "committed"])
def test_a_loader_that_is_killed_loses_and_doubles_no_run_and_no_record_of_a_session(
    step, database_url, folders
):
    make_customer()
    make_prepaid(2, balance_micros=0)
    DerivedCharger.objects.create(tenant="default", run="resale", templates={"AccountField": "^C2"})
    path = new_file(stream([cdr(number) for number in range(35)]))
    finish(start(["-m", "tests.mediation.kill_at", step, str(path)], database_url, folders))
    look_again()
    if step != "committed":
        assert not SessionRecord.objects.exists()
    if path.exists():
        load_file(path, now=LOADED_AT)
    assert SessionRecord.objects.count() == 35
    assert Cdr.objects.filter(run="resale").count() == 35
    assert default_balance(2).amount_micros == -35 * MINUTE
    assert default_balance(1).amount_micros == EURO
    assert_books_are_right()
