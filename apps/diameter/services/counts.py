"""Counting answers by result code."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from django.db import transaction
from django.db.models import F

from apps.diameter.models import AnswerCount

CountKey = tuple[str, str, int]
"""(peer's host, request, result code)."""


def add_counts(counts: Mapping[CountKey, int], now: datetime) -> None:
    """Add the answers since the last time to the hour's rows, all or nothing."""
    if not counts:
        return
    hour = now.replace(minute=0, second=0, microsecond=0)
    with transaction.atomic():
        for (peer_host, request, result_code), answers in sorted(counts.items()):
            fields = {"hour": hour, "peer_host": peer_host, "request": request, "result_code": result_code}
            if not AnswerCount.objects.filter(**fields).update(answers=F("answers") + answers):
                row, made = AnswerCount.objects.get_or_create(**fields, defaults={"answers": answers})
                if not made:
                    AnswerCount.objects.filter(pk=row.pk).update(answers=F("answers") + answers)
