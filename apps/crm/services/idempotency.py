"""Doing a call once, however often it is sent: the answer is kept with what the call did, in one transaction."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from hashlib import sha256
from typing import NamedTuple

from django.conf import settings
from django.db import IntegrityError, transaction

from apps.crm.domain.access import Caller
from apps.crm.models import StoredAnswer
from apps.kernel.errors import Conflict, InvalidInput

MOST_KEY_LENGTH = 200


class Answer(NamedTuple):
    """A call's answer as it is kept: a status of the door (HTTP's for REST, 0 for gRPC) and its octets."""

    status: int
    body: bytes


def check_key(key: str) -> str:
    """The key; raises InvalidInput unless it is 1 to 200 printable ASCII characters."""
    if not key or len(key) > MOST_KEY_LENGTH or not key.isascii() or not key.isprintable():
        raise InvalidInput(
            f"an idempotency key is 1 to {MOST_KEY_LENGTH} printable ASCII characters, such as a UUID",
            where="idempotency-key",
            code="bad_idempotency_key",
        )
    return key


def do_once(
    caller: Caller,
    key: str,
    operation: str,
    request: bytes,
    now: datetime,
    do: Callable[[], Answer],
    keep: Callable[[Answer], Answer],
) -> tuple[Answer, bool]:
    """Do it and keep the answer, or give the answer kept from before: (answer, whether it is a repeat).

    Everything that ``do`` writes and the answer commit together, so a call that was cut off has either happened with
    its answer kept or not at all. An error keeps nothing: the call may be corrected and sent with the same key.
    Two calls at once with one key: the second waits for the first. ``keep`` makes the stored form if the answer
    itself must not be (a PIN that is shown once). Raises Conflict (``idempotency_key_reused``) if the key was used
    for something else. ``key`` empty: it is done in a transaction and nothing is kept.
    """
    if not key:
        with transaction.atomic():
            return do(), False
    check_key(key)
    digest = sha256(operation.encode() + b"\0" + request).hexdigest()
    with transaction.atomic():
        try:
            with transaction.atomic():
                row = StoredAnswer.objects.create(
                    tenant_id=caller.tenant_id,
                    client=caller.owner_of_keys,
                    key=key,
                    operation=operation[:80],
                    request_digest=digest,
                    created_at=now,
                )
        except IntegrityError:
            kept = StoredAnswer.objects.get(tenant_id=caller.tenant_id, client=caller.owner_of_keys, key=key)
            if kept.request_digest != digest:
                raise Conflict(
                    f"this key was used for another {kept.operation} call; use a new key for a new call",
                    where="idempotency-key",
                    code="idempotency_key_reused",
                ) from None
            return Answer(kept.status, bytes(kept.body)), True
        answer = do()
        row.status, row.body = keep(answer)
        row.save(update_fields=["status", "body"])
        return answer, False


def forget_old_answers(now: datetime) -> int:
    """Delete answers that are older than API_ANSWERS_KEPT_H; how many there were."""
    return StoredAnswer.objects.filter(
        created_at__lt=now - timedelta(hours=settings.API_ANSWERS_KEPT_H)
    ).delete()[0]
