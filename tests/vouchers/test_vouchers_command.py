"""``manage.py vouchers``: from a sealed file to a blocked voucher and a lifted lock."""

from __future__ import annotations

import csv
import io

import pyrage
import pytest
from django.core.management import CommandError, call_command

from apps.kernel.clock import utc_now
from apps.vouchers.models import RedemptionGuard, Voucher, VoucherBatch
from apps.vouchers.services import export
from apps.vouchers.services.redemption import redeem
from tests.charging.stored import account_of, default_balance, make_prepaid
from tests.factories import make_tenant

pytestmark = pytest.mark.django_db
PASSPHRASE = "correct horse battery"
PRINTER = pyrage.x25519.Identity.generate()
END = "2036-01-01T00:00:00Z"


@pytest.fixture(autouse=True)
def small_world(settings, tmp_path):
    settings.VOUCHER_KEY_FILE = tmp_path / "voucher_keys"
    (tmp_path / "passphrase").write_text(PASSPHRASE + "\n")
    make_tenant()


@pytest.fixture
def said(capsys):
    def run(*arguments: str) -> str:
        call_command("vouchers", *arguments)
        return capsys.readouterr().out

    return run


def generate(said, tmp_path, *more: str, count: int = 3) -> list[dict[str, str]]:
    path = tmp_path / "cards.csv.age"
    secret = ("--recipient", str(PRINTER.to_public()))
    said("generate", "Printer 7", str(count), "10.00", str(path), "--expires", END, *secret, *more)
    assert path.stat().st_mode & 0o777 == 0o600
    text = pyrage.decrypt(path.read_bytes(), [PRINTER]).decode()
    return list(csv.DictReader(io.StringIO(text)))


def test_a_file_sealed_with_a_passphrase_opens_with_the_same_passphrase_file(said, tmp_path):
    make_prepaid()
    file, secret = str(tmp_path / "cards.csv.age"), ("--passphrase-file", str(tmp_path / "passphrase"))
    said("generate", "Cards", "1", "10.00", file, "--expires", END, *secret)
    (row,) = csv.DictReader(io.StringIO(said("open", file, *secret)))
    assert redeem(make_tenant(), row["pin"], utc_now(), account=account_of()).serial == row["serial"]


def test_the_sealed_file_has_what_a_printer_needs_and_its_pins_are_good(said, tmp_path):
    make_prepaid()
    rows = generate(said, tmp_path)
    serial = rows[0]["serial"]
    assert len(rows) == 3
    assert {key: rows[0][key] for key in ("value", "unit", "expires_at")} == {
        "value": "10.00",
        "unit": "EUR",
        "expires_at": END,
    }
    assert redeem(make_tenant(), rows[0]["pin"], utc_now(), account=account_of()).serial == serial
    assert default_balance().amount_micros == 11_000_000
    listed = said("list", "--status", "redeemed")
    assert f"{serial} redeemed by C1" in listed
    assert listed.count("\n") == 1
    assert said("list", "--limit", "2").count("\n") == 2


def test_vouchers_stay_inactive_where_asked_or_where_the_file_could_not_be_written(
    said, tmp_path, monkeypatch
):
    generate(said, tmp_path, "--inactive")
    assert set(Voucher.objects.values_list("status", flat=True)) == {"generated"}
    assert "3 vouchers changed" in said("activate", "--batch", str(VoucherBatch.objects.get().pk))

    def fails(*_: object, **__: object) -> bytes:
        raise OSError(28, "No space left on device", "cards")

    monkeypatch.setattr(export, "seal", fails)
    with pytest.raises(CommandError, match="No space left"):
        said(
            *("generate", "x", "2", "1", str(tmp_path / "more.age"), "--expires", END),
            *("--passphrase-file", str(tmp_path / "passphrase")),
        )
    assert Voucher.objects.filter(status="generated").count() == 2
    assert not list(tmp_path.glob("*more*"))


def test_vouchers_are_blocked_extended_and_voided_and_locks_lifted(said, tmp_path):
    serial = generate(said, tmp_path)[0]["serial"]
    said("block", serial, "--reason", "stolen")
    assert f"{serial} blocked" in said("list", "--serial", serial)
    said("unblock", serial)
    said("extend", serial, "--expires", "2040-01-01T00:00:00Z")
    assert "until 2040-01-01" in said("list", "--serial", serial)
    assert "2 vouchers changed" in said("void", *Voucher.objects.values_list("serial", flat=True)[1:])
    now = utc_now()
    RedemptionGuard.objects.create(
        tenant=make_tenant(), subject="account:7", failures=10, failed_at=now, locked_at=now
    )
    assert "account:7: 10 wrong PINs, locked since" in said("locks")
    said("unlock", "account:7")
    assert said("locks") == ""


def test_keys_are_listed_with_the_vouchers_that_need_them_lost_keys_too(said, tmp_path):
    generate(said, tmp_path)
    assert "under key k2" in said("new-key")
    Voucher.objects.filter(serial__endswith="3").update(pin_key="gone")
    out = said("keys")
    assert "k2: 0 open vouchers, for new vouchers" in out
    assert "k1: 2 open vouchers\n" in out
    assert "gone: 1 open vouchers, missing" in out


def test_a_file_sealed_with_a_passphrase_is_opened_on_the_terminal(said, tmp_path, monkeypatch):
    path = tmp_path / "cards.csv.age"
    secret = ("--passphrase-file", str(tmp_path / "passphrase"))
    said("generate", "Printer 7", "2", "10.00", str(path), "--expires", END, *secret)
    monkeypatch.setattr("getpass.getpass", lambda _: PASSPHRASE)
    opened = said("open", str(path))
    assert opened.startswith("serial,pin,value,unit,valid_from,expires_at\n")
    assert opened.count("\n") == 3


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (
            ("generate", "x", "1", "1", "{file}", "--expires", END, "--passphrase-file", "{file}"),
            "exists already",
        ),
        (
            ("generate", "x", "1", "1,5", "{new}", "--expires", END, "--passphrase-file", "{file}"),
            "not an amount",
        ),
        (
            ("generate", "x", "1", "1", "{new}", "--expires", "soon", "--passphrase-file", "{file}"),
            "not an instant",
        ),
        (
            ("generate", "x", "1", "1", "{new}", "--expires", END, "--passphrase-file", "{file}"),
            "12 characters",
        ),
        (
            ("generate", "x", "1", "1", "{new}", "--expires", END, "--recipient", "bob"),
            "not an age public key",
        ),
        (("block", "000009-0000001"), "there is no voucher"),
        (("block",), "name either serials or a batch"),
        (("void", "--batch", "99"), "there is no voucher batch"),
        (("unlock", "account:1"), "no wrong PINs"),
        (("open", "{new}"), "No such file"),
        (("--tenant", "nobody", "locks"), "no tenant nobody"),
    ],
)
def test_the_command_reports_what_it_cannot_do(arguments, says, tmp_path, monkeypatch):
    monkeypatch.setattr("getpass.getpass", lambda _: PASSPHRASE)
    (tmp_path / "file").write_text("short\n")
    given = [text.format(file=tmp_path / "file", new=tmp_path / "new") for text in arguments]
    with pytest.raises(CommandError, match=says):
        call_command("vouchers", *given)
    assert not VoucherBatch.objects.exists()
