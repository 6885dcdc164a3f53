"""Publishing: from rows to the snapshot that every process prices with."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import NamedTuple

from django.db import connection, transaction

from apps.events.services.publishing import publish as publish_events
from apps.kernel.errors import InvalidInputs
from apps.rating.domain.history_files import Terms, plan_path
from apps.rating.domain.published import TARIFF_PUBLISHED
from apps.rating.domain.snapshot import encode
from apps.rating.domain.source import SHARED_TARIFF_PLAN
from apps.rating.domain.tariff import compile_tariff
from apps.rating.models import TariffPlan, TariffVersion
from apps.rating.selectors.tariff_source import product_terms, tariff_source
from apps.rating.selectors.tariffs import look_again
from apps.rating.services.folder_parts import parts

# Who has what is no tariff.
OF_CUSTOMERS = ("AccountActions", "Users", "Aliases")

logger = logging.getLogger(__name__)


class Published(NamedTuple):
    """The version in force now; ``is_new`` is False if neither prices nor the terms beside them have changed."""

    version_id: int
    is_new: bool


@transaction.atomic
def publish(now: datetime, note: str = "", by: str = "") -> Published:
    """Make a tariff version of the rows as they are; other processes see it within a minute.

    ``note`` says why, ``by`` who (empty: a process); the history of the tariff keeps both.
    Raises InvalidInputs if the rows do not make a tariff; the former version then stays in force.
    """
    # One at a time, so that the newest version is always made of the newest rows.
    TariffPlan.objects.get_or_create(code=SHARED_TARIFF_PLAN)
    TariffPlan.objects.select_for_update().get(code=SHARED_TARIFF_PLAN)
    source = tariff_source()
    compile_tariff(source)
    snapshot = encode(source)
    terms = _terms([plan.code for plan in source.tariff_plans])
    newest = TariffVersion.objects.order_by("-id").only("id", "content_hash", "terms").first()
    same_prices = newest is not None and newest.content_hash == snapshot.content_hash
    if newest is not None and same_prices and newest.terms == terms:
        return Published(newest.pk, is_new=False)
    version = TariffVersion.objects.create(
        published_at=now,
        published_by=by[:150],
        content_hash=snapshot.content_hash,
        snapshot=snapshot.data,
        terms=terms,
        note=note[:200],
    )
    publish_events(
        [TARIFF_PUBLISHED.event(version.pk, now, version_id=version.pk, prices_changed=int(not same_prices))]
    )
    look_again()
    transaction.on_commit(look_again)
    return Published(version.pk, is_new=True)


def _terms(plan_codes: Iterable[str]) -> Terms:
    """The terms of products, and the other tables of the folder but those of customers, as JSON gives them back."""
    tables = {f"products/{table}": rows for table, rows in product_terms().items()}
    for part in parts():
        if part.name in OF_CUSTOMERS:
            continue
        for code in plan_codes:
            rows = [dict(zip(part.columns.columns, map(str, row), strict=True)) for row in part.export(code)]
            if rows:
                tables[plan_path(code, part.name)] = rows
    return tables


class _PublishOnCommit:
    def __init__(
        self, now: datetime, note: str, by: str, on_error: Callable[[InvalidInputs], object] | None
    ) -> None:
        self.now, self.note, self.by, self.on_error = now, note, by, on_error

    def __call__(self) -> None:
        try:
            publish(self.now, self.note, self.by)
        except InvalidInputs as error:
            # The edit is stored, but it does not make a tariff (yet): the former one stays in force.
            logger.error("The tariff was not published: %s", error)
            if self.on_error is not None:
                self.on_error(error)


def publish_on_commit(
    now: datetime,
    note: str = "",
    by: str = "",
    on_error: Callable[[InvalidInputs], object] | None = None,
) -> None:
    """Publish after the current transaction, once however often it is asked for within it.

    If the rows do not make a tariff, the former one stays in force and ``on_error`` is told why.
    """
    if not any(isinstance(callback[1], _PublishOnCommit) for callback in connection.run_on_commit):
        transaction.on_commit(_PublishOnCommit(now, note, by, on_error))
