"""The licence file: 181 octets, and each way in which it can be wrong has a name of its own."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from apps.kernel.errors import InvalidInput
from apps.licensing.domain.errors import (
    Expired,
    LicenceError,
    NotBase64,
    OtherMachine,
    WrongLength,
    WrongMagic,
    WrongSignature,
    WrongVersion,
)
from apps.licensing.domain.licence import (
    ALL_FEATURES,
    DAY_S,
    LICENCE_OCTETS,
    Feature,
    Licence,
    check,
    features_named,
    read,
    sign,
)

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
PRIVATE, PUBLIC = KEY.private_bytes_raw(), KEY.public_key().public_bytes_raw()
END = datetime(2027, 3, 1, 15, tzinfo=UTC)
LICENCE = Licence(
    UUID("12345678-1234-5678-1234-567812345678"),
    int(END.timestamp()),
    int(ALL_FEATURES),
    "0123456789abcdef" * 2,
)
FILE = sign(LICENCE, PRIVATE).encode()
OCTETS = base64.b64decode(FILE)


def file_of(octets: bytes) -> bytes:
    return base64.b64encode(octets)


def resigned(payload: bytes) -> bytes:
    return file_of(payload + KEY.sign(payload))


def test_a_file_has_181_octets_in_the_order_of_ubss() -> None:
    assert len(OCTETS) == LICENCE_OCTETS == 181
    assert OCTETS[:5] == b"MBSS\x01"
    assert OCTETS[5:41] == b"12345678-1234-5678-1234-567812345678"
    assert int.from_bytes(OCTETS[41:49], "little") == LICENCE.expires_at
    assert int.from_bytes(OCTETS[49:53], "little") == 0b1111111
    assert OCTETS[53:117] == LICENCE.machine_id.encode().ljust(64, b"\0")


@given(
    st.builds(
        Licence,
        st.uuids(),
        st.integers(0, 2**37),
        st.integers(0, 2**32 - 1),
        st.text("0123456789abcdef", min_size=1, max_size=64),
    )
)
def test_what_is_signed_is_read_back(licence: Licence) -> None:
    assert read(sign(licence, PRIVATE).encode(), PUBLIC) == licence


def test_line_breaks_of_a_mail_do_no_harm() -> None:
    assert read(b"\r\n".join((FILE[:76], FILE[76:152], FILE[152:], b"")), PUBLIC) == LICENCE


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (b"no licence!", NotBase64),
        (b"", WrongLength),
        (file_of(OCTETS[:-1]), WrongLength),
        (file_of(OCTETS + b"\0"), WrongLength),
        (resigned(b"XBSS" + OCTETS[4:117]), WrongMagic),
        (resigned(OCTETS[:4] + b"\x02" + OCTETS[5:117]), WrongVersion),
        (resigned(OCTETS[:41] + b"\xff" * 7 + b"\x7f" + OCTETS[49:117]), WrongMagic),
        (resigned(OCTETS[:5] + b"x" * 36 + OCTETS[41:117]), WrongMagic),
    ],
)
def test_each_fault_has_its_own_error(content: bytes, error: type[LicenceError]) -> None:
    with pytest.raises(error):
        read(content, PUBLIC)


@given(st.integers(0, 181 * 8 - 1))
def test_no_bit_can_be_turned(bit: int) -> None:
    edited = bytearray(OCTETS)
    edited[bit // 8] ^= 1 << bit % 8
    with pytest.raises((WrongMagic, WrongVersion, WrongSignature)):
        read(file_of(bytes(edited)), PUBLIC)


def test_a_licence_of_another_key_is_forged() -> None:
    forged = sign(LICENCE, Ed25519PrivateKey.generate().private_bytes_raw())
    with pytest.raises(WrongSignature):
        read(forged.encode(), PUBLIC)


@given(st.binary(max_size=400))
def test_any_octets_are_refused_in_words(content: bytes) -> None:
    with pytest.raises(LicenceError):
        read(content, PUBLIC)


def test_it_ends_when_its_last_day_begins_in_utc() -> None:
    midnight = datetime(2027, 3, 1, tzinfo=UTC)
    check(LICENCE, LICENCE.machine_id, midnight - timedelta(microseconds=1))
    with pytest.raises(Expired, match="2027-03-01"):
        check(LICENCE, LICENCE.machine_id, midnight)
    assert [LICENCE.days_left(midnight - timedelta(seconds=s)) for s in (1, DAY_S, DAY_S + 1)] == [0, 1, 1]


def test_it_holds_for_its_own_machine_only() -> None:
    with pytest.raises(OtherMachine, match="fedcba"):
        check(LICENCE, "fedcba", END - timedelta(days=9))


def test_modules_are_named_and_unknown_bits_are_left_alone() -> None:
    assert features_named("prepaid, CRM") == Feature.PREPAID | Feature.CRM
    assert LICENCE._replace(feature_mask=2**31 | 1).features == Feature.PREPAID
    with pytest.raises(InvalidInput, match=r"“BILLINGS”; there are .*BILLING,"):
        features_named("BILLINGS")
