"""The gate on a machine: the file, the clock, the known time, and what each says."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from apps.kernel.errors import Conflict
from apps.licensing import vendor_key
from apps.licensing.domain.errors import (
    ClockRolledBack,
    Expired,
    LicenceError,
    LicenceMissing,
    NoPublicKey,
    NotLicensed,
    StateLost,
    StateTampered,
)
from apps.licensing.domain.licence import ALL_FEATURES, Feature
from apps.licensing.services import gate, issuing
from apps.licensing.services.files import machine_id, valid_licence

NOW = datetime(2027, 1, 10, 12, tzinfo=UTC)
DAY = timedelta(days=1)


class Vendor:
    """A vendor with a key, and the customer's machine."""

    def __init__(self, folder: Path, settings: Any) -> None:
        self.key = folder / "vendor.key"
        settings.LICENSE_PUBLIC_KEY = issuing.make_keys(self.key)
        self.file = settings.LICENSE_FILE = folder / "platform.lic"
        self.state = settings.LICENSE_STATE = folder / "state" / ".lkgt"
        settings.LICENSE_CLOCK_TOLERANCE_S = 3600

    def issue(
        self, *, until: datetime = NOW + 60 * DAY, features: int = int(ALL_FEATURES), at: datetime = NOW
    ) -> None:
        key = issuing.private_key(self.key)
        self.file.write_text(issuing.issue(uuid4(), until, features, machine_id(), key, at))


@pytest.fixture
def vendor(tmp_path: Path, settings: Any) -> Iterator[Vendor]:
    made = Vendor(tmp_path, settings)
    made.issue()
    gate.look_again()
    yield made
    gate.look_again()


def test_a_licence_that_holds_is_given(vendor: Vendor) -> None:
    assert valid_licence(NOW).machine_id == machine_id()


def test_a_missing_file_is_named(vendor: Vendor) -> None:
    vendor.file.unlink()
    with pytest.raises(LicenceMissing, match=r"platform\.lic: there is no licence"):
        valid_licence(NOW)


def test_a_clock_that_is_turned_back_is_found_and_a_small_step_is_forgiven(vendor: Vendor) -> None:
    valid_licence(NOW)
    valid_licence(NOW - timedelta(minutes=59))
    with pytest.raises(ClockRolledBack, match="2027-01-10 12:00"):
        valid_licence(NOW - timedelta(minutes=61))
    valid_licence(NOW)


def test_turning_the_clock_back_does_not_help_a_licence_that_ended(vendor: Vendor) -> None:
    valid_licence(NOW + 59 * DAY)
    with pytest.raises(Expired):
        valid_licence(NOW + 60 * DAY)
    with pytest.raises(ClockRolledBack):
        valid_licence(NOW)


def test_an_edited_state_is_found(vendor: Vendor) -> None:
    valid_licence(NOW)
    content = vendor.state.read_bytes()
    seconds = str(int(NOW.timestamp())).encode()
    for edited in (
        content.replace(seconds, str(int(seconds) - 90_000).encode()),
        content[:-2],
        b"",
        b"\xff" * 40,
        b"LKGT1 1 x",
    ):
        vendor.state.write_bytes(edited)
        with pytest.raises(StateTampered):
            valid_licence(NOW)
    vendor.state.write_bytes(content)
    valid_licence(NOW)


def test_a_lost_state_is_told_from_a_first_start(vendor: Vendor) -> None:
    valid_licence(NOW)
    vendor.state.unlink()
    with pytest.raises(StateLost):
        valid_licence(NOW - DAY)


def test_a_licence_that_is_issued_again_mends_the_state_and_an_old_one_does_not(vendor: Vendor) -> None:
    valid_licence(NOW + 30 * DAY)
    old = vendor.file.read_bytes()
    vendor.state.write_bytes(b"damaged")
    vendor.issue(at=NOW + timedelta(seconds=1))
    valid_licence(NOW)
    # The clock cannot be turned back by changing between licences that were in use.
    valid_licence(NOW + 20 * DAY)
    vendor.file.write_bytes(old)
    vendor.issue(at=NOW + timedelta(seconds=2))
    valid_licence(NOW + 5 * DAY)
    valid_licence(NOW + 25 * DAY)
    with pytest.raises(ClockRolledBack):
        valid_licence(NOW + 20 * DAY)


def test_processes_that_start_at_once_agree_on_the_state(vendor: Vendor) -> None:
    failed: list[BaseException] = []

    def look(step: int) -> None:
        try:
            valid_licence(NOW + timedelta(minutes=step))
        except LicenceError as error:
            failed.append(error)

    threads = [threading.Thread(target=look, args=(step % 50,)) for step in range(100)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    with pytest.raises(ClockRolledBack):
        valid_licence(NOW - timedelta(minutes=13))


def test_modules_that_are_not_in_the_licence_are_named(
    vendor: Vendor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gate, "utc_now", lambda: NOW)
    vendor.issue(features=int(Feature.BILLING))
    gate.require(Feature.BILLING)
    with pytest.raises(NotLicensed, match="PREPAID, DIAMETER"):
        gate.require(Feature.PREPAID | Feature.DIAMETER | Feature.BILLING)


def test_a_running_process_sees_the_end_of_its_licence(
    vendor: Vendor, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    moment = [NOW]
    monkeypatch.setattr(gate, "utc_now", lambda: moment[0])
    gate.require()
    moment[0] = NOW + 60 * DAY
    # What is known is trusted for a while, and looked at again after it or when told.
    gate.require()
    gate.look_again()
    with pytest.raises(Expired):
        gate.require()
    vendor.issue(until=NOW + 90 * DAY)
    settings.LICENSE_LOOK_AGAIN_S = 0
    gate.require()


@pytest.mark.parametrize(("days", "warning"), [(31, 0), (30, 30), (29, 30), (7, 7), (6, 7), (1, 1)])
def test_warnings_come_30_7_and_1_days_ahead(vendor: Vendor, days: int, warning: int) -> None:
    midnight = datetime(2027, 1, 11, tzinfo=UTC)
    vendor.issue(until=midnight + days * DAY)
    assert gate.warning_days(valid_licence(NOW), midnight + timedelta(seconds=1)) == warning


def test_without_a_key_nothing_is_believed(vendor: Vendor, settings: Any) -> None:
    settings.LICENSE_PUBLIC_KEY = ""
    with pytest.raises(NoPublicKey, match="license evaluate"):
        valid_licence(NOW)
    settings.LICENSE_PUBLIC_KEY = "c2hvcnQ="
    with pytest.raises(NoPublicKey, match="32 octets"):
        valid_licence(NOW)


def test_a_packaged_key_cannot_be_overridden(
    vendor: Vendor, settings: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(vendor_key, "PUBLIC_KEY", settings.LICENSE_PUBLIC_KEY)
    settings.LICENSE_PUBLIC_KEY = issuing.make_keys(tmp_path / "mine.key")
    valid_licence(NOW)
    vendor.file.unlink()
    with pytest.raises(Conflict, match="vendor"):
        issuing.issue_evaluation(NOW)


def test_a_checkout_evaluates_itself_once(vendor: Vendor, settings: Any) -> None:
    settings.LICENSE_PUBLIC_KEY = ""
    vendor.file.unlink()
    assert issuing.issue_evaluation(NOW) == vendor.file
    assert valid_licence(NOW).features == ALL_FEATURES
    assert not list(vendor.state.parent.glob("*.key"))
    assert issuing.issue_evaluation(NOW + DAY) is None


def test_an_end_of_a_day_far_away_is_no_reason_to_fail(vendor: Vendor) -> None:
    vendor.issue(until=datetime(9990, 1, 1, tzinfo=UTC))
    assert valid_licence(NOW).ends_at.year == 9990
