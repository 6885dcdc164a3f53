"""CDRs, files of them, and a small operator whose subscribers make them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from django.conf import settings

from apps.kernel.clock import utc_now
from apps.mediation.formats.messages import MAGIC, delimited
from apps.mediation.pb.billing_pb2 import CDR, CDRFileHeader
from apps.mediation.services.load_file import FileOutcome, load_file
from apps.rating.selectors.tariffs import look_again
from apps.rating.services.publishing import publish
from tests.factories import make_plan, make_subscriber

NOW = datetime(2026, 3, 20, 12, tzinfo=UTC)
START = datetime(2026, 3, 10, 8, tzinfo=UTC)
MSISDN = "4915550000001"
# A minute of voice at 0.09.
MINUTE_MICROS = 90_000


def make_operator(subscribers: int = 2, *, free_minutes: int = 0, mode: str = "postpaid") -> None:
    """Subscribers 4915550000001 … on a plan of flat prices: 0.09 a minute and a message, 0.01 a megabyte."""
    plan = make_plan(voice=(MINUTE_MICROS, free_minutes), sms=(90_000, 0), data=(10_000, 0), mms=(390_000, 0))
    for number in range(1, subscribers + 1):
        make_subscriber(number, plan=plan, mode=mode)
    publish(utc_now())
    look_again()


def cdr(number: int = 1, **fields: Any) -> CDR:
    """A call of one minute by the first subscriber, ``number`` seconds after START; fields as in the message."""
    values: dict[str, Any] = {
        "record_id": f"R{number:06d}",
        "service": "voice",
        "msisdn": MSISDN,
        "other_party": "4930123456",
        "start": int((START + timedelta(seconds=number)).timestamp()),
        "duration_s": 60,
        "cell": "262-07-1-2",
        **fields,
    }
    return CDR(**values)


def stream(records: Iterable[CDR | bytes]) -> bytes:
    """Length-delimited records without a header; bytes stand for records that are damaged."""
    return b"".join(
        delimited(record if isinstance(record, bytes) else record.SerializeToString()) for record in records
    )


def header(count: int = 0, source: str = "MSC01", sequence: int = 1) -> bytes:
    """The header record, delimited."""
    return delimited(
        CDRFileHeader(magic=MAGIC, source=source, sequence=sequence, count=count).SerializeToString()
    )


def new_file(content: bytes, name: str = "MSC01_1.cdr") -> Path:
    """A file in the folder of new files."""
    settings.CDR_NEW_DIR.mkdir(parents=True, exist_ok=True)
    path = settings.CDR_NEW_DIR / name
    path.write_bytes(content)
    return path


def load(content: bytes, name: str = "MSC01_1.cdr", **options: Any) -> FileOutcome:
    """Load a file of that content."""
    return load_file(new_file(content, name), now=NOW, **options)
