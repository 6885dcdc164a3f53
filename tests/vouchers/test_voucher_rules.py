"""Laws of PINs, their hashes, a voucher's steps and the waits after wrong PINs; no database."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.kernel.errors import InvalidInput
from apps.vouchers.domain.guessing import (
    NO_FAILURES,
    Guard,
    GuardPolicy,
    after_failure,
    failures_at,
    hindrance,
    wait_s,
)
from apps.vouchers.domain.vouchers import (
    STEPS,
    VoucherAction,
    VoucherStatus,
    draw_pins,
    parse_pin,
    pin_digest,
    pin_digests,
    printed_pin,
    redeemable,
    serial_of,
    status_at,
)

NOW = datetime(2026, 5, 20, 12, tzinfo=UTC)
POLICY = GuardPolicy(free=2, first_wait_s=5, longest_wait_s=3600, lock_after=10, forgive_s=6 * 3600)
pins = st.text("0123456789", min_size=16, max_size=16)
keys = st.binary(min_size=32, max_size=64)
later = st.timedeltas(timedelta(0), timedelta(days=3))


@given(st.integers(1, 300), st.integers())
def test_a_batch_has_as_many_pins_as_asked_for_all_different_and_of_sixteen_digits(count, seed):
    drawn = draw_pins(count, random.Random(seed).randrange)
    assert len(drawn) == len(set(drawn)) == count
    assert all(parse_pin(pin) == pin for pin in drawn)


def test_a_pin_that_comes_up_twice_is_drawn_again():
    numbers = iter([7, 7, 8])
    assert draw_pins(2, lambda _: next(numbers)) == ["0000000000000007", "0000000000000008"]


def test_every_number_can_come_up():
    assert draw_pins(1, lambda below: below - 1) == ["9" * 16]


@given(pins, st.sampled_from([" ", "-", ".", "  ", "\t"]))
def test_a_pin_is_understood_however_it_is_grouped(pin, gap):
    assert parse_pin(printed_pin(pin).replace(" ", gap)) == parse_pin(f" {pin}\n") == pin


@given(st.text(max_size=80))
def test_any_other_text_is_refused_without_repeating_it(text):
    digits = "".join(letter for letter in text if letter not in " \t\n\r\f\v.-\x1c\x1d\x1e\x1f\x85\xa0")
    if len(digits) == 16 and digits.isascii() and digits.isdigit():
        return
    with pytest.raises(InvalidInput) as raised:
        parse_pin(text)
    assert raised.value.code == "pin_format"
    assert len(text.strip()) < 4 or text.strip() not in str(raised.value)


@pytest.mark.parametrize("digits", ["١" * 16, "²" * 16, "1" * 15, "1" * 17, "", " " * 5_000_000])
def test_digits_of_other_scripts_and_other_lengths_are_no_pin(digits):
    with pytest.raises(InvalidInput):
        parse_pin(digits)


@given(keys, st.integers(1, 2**40), pins, pins)
def test_equal_pins_have_equal_hashes_and_others_have_others(key, tenant, one, other):
    digest = pin_digest(key, tenant, one)
    assert digest == pin_digest(key, tenant, one)
    assert len(digest) == 64
    assert one not in digest
    assert (digest == pin_digest(key, tenant, other)) == (one == other)


@given(keys, keys, st.integers(1, 1000), st.integers(1, 1000), pins)
def test_a_hash_depends_on_key_and_tenant(key, other_key, tenant, other_tenant, pin):
    assert (pin_digest(key, tenant, pin) == pin_digest(key, other_tenant, pin)) == (tenant == other_tenant)
    # HMAC pads a short key with zeros: only keys that differ otherwise count as others.
    if key.rstrip(b"\0") != other_key.rstrip(b"\0"):
        assert pin_digest(key, tenant, pin) != pin_digest(other_key, tenant, pin)
    assert pin_digests({"a": key, "b": other_key}, tenant, pin)["a"] == pin_digest(key, tenant, pin)


@given(st.integers(1, 10**9), st.integers(1, 10**9), st.integers(1, 10**6), st.integers(1, 10**6))
def test_serial_numbers_are_never_shared_and_fit_their_column(batch, other_batch, place, other_place):
    assert (serial_of(batch, place) == serial_of(other_batch, other_place)) == (
        (batch, place) == (other_batch, other_place)
    )
    assert len(serial_of(batch, place)) <= 20


def test_redeemed_and_void_are_final():
    final = {VoucherStatus.REDEEMED, VoucherStatus.VOID}
    assert all(not final & step.allowed for step in STEPS.values())
    assert STEPS.keys() == set(VoucherAction)
    assert all(step.to is not VoucherStatus.REDEEMED for step in STEPS.values())


@pytest.mark.parametrize("stored", [status for status in VoucherStatus if status != "expired"])
def test_only_an_active_voucher_within_its_time_can_be_redeemed(stored):
    end = NOW + timedelta(days=1)
    assert redeemable(stored, NOW, end, NOW) == (stored == "active")
    assert not redeemable(stored, NOW, end, end)
    assert not redeemable(stored, NOW, end, NOW - timedelta(microseconds=1))
    is_open = stored in ("generated", "active", "blocked")
    assert status_at(stored, end, end) == ("expired" if is_open else stored)
    assert status_at(stored, end, end - timedelta(microseconds=1)) == stored


@given(st.integers(0, 10_000))
def test_each_wrong_pin_costs_at_least_the_wait_of_the_one_before(failures):
    assert 0 <= wait_s(failures, POLICY) <= wait_s(failures + 1, POLICY) <= POLICY.longest_wait_s


def test_the_waits_double_from_the_first_one():
    assert [wait_s(failures, POLICY) for failures in range(7)] == [0, 0, 0, 5, 10, 20, 40]


@given(st.lists(later, max_size=40))
def test_a_lock_comes_with_the_tenth_wrong_pin_at_the_latest_and_time_never_lifts_it(gaps):
    guard, now = NO_FAILURES, NOW
    for gap in gaps:
        now += gap
        guard = after_failure(guard, POLICY, now)
        assert guard.failures >= 1
        assert guard.failures < POLICY.lock_after or guard.locked_at is not None
        found = hindrance(guard, POLICY, now + timedelta(days=10_000))
        assert (found is not None and found.locked) == (guard.locked_at is not None)


def test_ten_wrong_pins_in_a_row_lock():
    guard, now = NO_FAILURES, NOW
    for number in range(1, 11):
        guard = after_failure(guard, POLICY, now)
        assert (guard.locked_at is not None) == (number == 10)
        now += timedelta(seconds=wait_s(guard.failures, POLICY))


@given(st.integers(0, 9), later)
def test_failures_are_forgiven_one_by_one_and_never_below_none(failures, passed):
    left = failures_at(Guard(failures, NOW), POLICY, NOW + passed)
    assert left == max(0, failures - passed // timedelta(hours=6))


@given(st.integers(3, 9), st.timedeltas(timedelta(0), timedelta(hours=2)))
def test_a_party_may_try_after_its_wait_and_not_before(failures, passed):
    guard, now = Guard(failures, NOW), NOW + passed
    found = hindrance(guard, POLICY, now)
    if found is None:
        assert passed >= timedelta(seconds=wait_s(failures, POLICY))
    else:
        assert found.wait_s >= 1
        assert hindrance(guard, POLICY, now + timedelta(seconds=found.wait_s)) is None
        assert hindrance(guard, POLICY, now + timedelta(seconds=found.wait_s - 1)) is not None


def test_a_clock_that_goes_back_forgives_nothing():
    assert failures_at(Guard(5, NOW), POLICY, NOW - timedelta(days=9)) == 5
