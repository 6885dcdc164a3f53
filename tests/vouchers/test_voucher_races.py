"""Vouchers under concurrency and kills, on connections and processes of their own."""

from __future__ import annotations

import os
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import OperationalError, connection

from apps.charging.models import Account, LedgerEntry
from apps.charging.services.audit import differences
from apps.kernel.errors import BssError, Conflict
from apps.vouchers.domain.redemption import Redemption
from apps.vouchers.domain.vouchers import VoucherAction
from apps.vouchers.models import RedemptionGuard, Voucher, VoucherBatch
from apps.vouchers.services import changes
from apps.vouchers.services.batches import NewBatch, generate_batch
from apps.vouchers.services.redemption import RedeemOrder, redeem, redeem_many
from tests import python_processes
from tests.charging.stored import NOW, account_of, assert_books_are_right, default_balance, make_prepaid
from tests.factories import make_tenant

pytestmark = pytest.mark.django_db(transaction=True)
ON_MARIADB = os.environ.get("DATABASE_URL", "").startswith(("mysql", "mariadb"))
# SQLite has one writer: more threads would only wait for it.
CALLERS = 200 if ON_MARIADB else 12
ACCOUNTS = 10
TEN = 10_000_000


@pytest.fixture(autouse=True)
def own_keys(settings, tmp_path):
    settings.VOUCHER_KEY_FILE = tmp_path / "voucher_keys"


def make_pins(count: int = 1) -> list[str]:
    made = generate_batch(
        make_tenant(), NewBatch("race", count, TEN, NOW + timedelta(days=1)), NOW, key="race"
    )
    return [voucher.pin for voucher in made.vouchers]


def at_once(tries: Sequence[Callable[[], Redemption]]) -> list[Redemption | str]:
    """Carry all of them out at the same moment, each on a connection of its own; the redemption or the error's code."""
    together = threading.Barrier(len(tries))

    def attempt(run: Callable[[], Redemption]) -> Redemption | str:
        try:
            connection.ensure_connection()
            together.wait(60)
            return run()
        except BssError as error:
            return error.code
        finally:
            connection.close()

    with ThreadPoolExecutor(len(tries)) as pool:
        return list(pool.map(attempt, tries))


def test_of_two_hundred_who_redeem_one_pin_at_once_one_succeeds():
    for number in range(1, ACCOUNTS + 1):
        make_prepaid(number)
    accounts, tenant, (pin,) = list(Account.objects.order_by("pk")), make_tenant(), make_pins()
    answers = at_once(
        [
            lambda account=accounts[number % ACCOUNTS]: redeem(
                tenant, pin, NOW, account=account, caller="crm"
            )
            for number in range(CALLERS)
        ]
    )
    won = [answer for answer in answers if isinstance(answer, Redemption)]
    assert len(won) == 1
    refused = Counter(answer for answer in answers if isinstance(answer, str))
    assert refused.total() == CALLERS - 1
    assert set(refused) <= {"voucher_refused", "already_redeemed", "redemption_wait"}
    (entry,) = LedgerEntry.objects.filter(note__startswith="Voucher")
    assert (entry.amount_micros, entry.balance.account_id) == (TEN, won[0].account_id)
    assert Voucher.objects.get().account_id == won[0].account_id
    assert_books_are_right()
    assert list(differences()) == []


def test_a_key_sent_many_times_at_once_credits_once_and_all_get_the_same_answer():
    make_prepaid()
    account, tenant, (pin,) = account_of(), make_tenant(), make_pins()
    answers = at_once([lambda: redeem(tenant, pin, NOW, account=account, key="once")] * 10)
    assert len({answer._replace(replayed=False) for answer in answers}) == 1
    assert Counter(answer.replayed for answer in answers) == {True: 9, False: 1}
    assert default_balance().amount_micros == 1_000_000 + TEN


def test_guesses_made_at_once_count_one_after_the_other():
    make_prepaid()
    account, tenant = account_of(), make_tenant()
    answers = at_once(
        [lambda pin=f"{number:016d}": redeem(tenant, pin, NOW, account=account) for number in range(12)]
    )
    assert Counter(answers) == {"voucher_refused": 3, "redemption_wait": 9}
    assert RedemptionGuard.objects.get().failures == 3


def test_vouchers_redeemed_side_by_side_are_all_credited():
    for number in range(1, 5):
        make_prepaid(number)
    tenant, pins = make_tenant(), make_pins(12)
    accounts = list(Account.objects.order_by("pk"))
    answers = at_once(
        [
            lambda pin=pin, account=accounts[place % 4]: redeem(tenant, pin, NOW, account=account)
            for place, pin in enumerate(pins)
        ]
    )
    assert all(isinstance(answer, Redemption) for answer in answers)
    assert default_balance(1).amount_micros == 1_000_000 + 3 * TEN
    assert_books_are_right()


def test_groups_and_single_calls_at_once_redeem_each_pin_once():
    for number in range(1, 7):
        make_prepaid(number)
    tenant, pins = make_tenant(), make_pins(6)
    accounts = list(Account.objects.order_by("pk"))
    won: list[Redemption] = []

    def in_a_group(turn: int) -> Redemption:
        # Each group in another order: locks in the order of the calls would deadlock.
        pairs = [(accounts[(turn + place * 5) % 6], pins[(turn * 3 + place * 5) % 6]) for place in range(6)]
        done = redeem_many(tenant.pk, [RedeemOrder(account.pk, pin) for account, pin in pairs], NOW)
        won.extend(one for one in done if isinstance(one, Redemption))
        assert all(isinstance(one, Redemption | BssError) for one in done), done
        raise Conflict("it was done in a group", code="grouped")

    def alone(turn: int) -> Redemption:
        won.append(redeem(tenant, pins[turn % 6], NOW, account=accounts[(turn + 3) % 6]))
        return won[-1]

    answers = at_once(
        [
            (lambda turn=turn: in_a_group(turn)) if turn % 2 else (lambda turn=turn: alone(turn))
            for turn in range(24 if ON_MARIADB else 8)
        ]
    )
    refused = {answer for answer in answers if isinstance(answer, str)}
    assert refused <= {"grouped", "voucher_refused", "already_redeemed", "redemption_wait"}
    assert len({one.serial for one in won}) == len(won) == 6
    assert Voucher.objects.filter(status="redeemed").count() == 6
    assert LedgerEntry.objects.filter(note__startswith="Voucher").count() == 6
    assert_books_are_right()
    assert list(differences()) == []


def test_a_batch_is_blocked_while_its_vouchers_are_redeemed(monkeypatch):
    """A redemption that locks in another order deadlocks with the change: the change is retried."""
    make_prepaid(1)
    make_pins(3)
    original, faults = changes._applies, [OperationalError(1213, "Deadlock found")]

    def applies(*arguments):
        if faults:
            raise faults.pop()
        return original(*arguments)

    monkeypatch.setattr(changes, "_applies", applies)
    batch = VoucherBatch.objects.get().pk
    assert changes.change_vouchers(make_tenant(), VoucherAction.BLOCK, NOW, batch_id=batch) == 3


def test_a_generation_that_is_killed_midway_leaves_nothing_and_can_be_ordered_again(database_url):
    make_tenant()

    def generate(count: int) -> python_processes.Process:
        return python_processes.start(
            ["-m", "tests.vouchers.voucher_maker", str(count), "killed-once"],
            env={
                **os.environ,
                "DATABASE_URL": database_url,
                "DJANGO_SETTINGS_MODULE": "bss_project.settings",
            },
        )

    process = generate(60_000)
    assert process.stdout is not None
    assert process.stdout.readline() == "20000\n", "some thousand rows are written, nothing is committed"
    process.kill()
    process.wait()
    assert not VoucherBatch.objects.exists()
    assert not Voucher.objects.exists()
    process = generate(50)
    assert process.communicate(timeout=120)[0] == "50\ndone\n"
    assert Voucher.objects.count() == VoucherBatch.objects.get().count == 50
