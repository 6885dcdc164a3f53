"""Differences between what is live, a draft, and earlier versions, with prices worked for a unit of sale."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from apps.kernel.errors import InvalidInput, NotFound
from apps.rating.domain import source as src
from apps.rating.domain.differences import Difference, difference, product_changes, timing_changes
from apps.rating.domain.tariff import Tariff, compile_tariff
from apps.rating.models import Service, TariffDraft, TariffVersion
from apps.rating.selectors.drafts import draft_tariff
from apps.rating.selectors.tariffs import tariff_version, version_before, version_source, version_terms

_KEPT = 2
# What prices are worked for in a category that no service has: a minute, or 60 events.
_DEFAULT_AMOUNT = 60
# Where a version keeps the terms of its products.
_PRODUCTS = "products/"


def draft_difference(draft_id: int, amount: int | None = None) -> Difference:
    """What a draft would change of what is live; of a published one, what it changed.

    Prices are worked for a unit of sale of each service, or for ``amount`` units. Raises NotFound, InvalidInputs.
    """
    draft = (
        TariffDraft.objects.filter(pk=draft_id).only("content_hash", "load").select_related("load").first()
    )
    if draft is None:
        raise NotFound(f"there is no tariff draft {draft_id}")
    if draft.load is not None:
        version_id = draft.load.version_id
        old_id = version_before(version_id) if draft.load.is_new_version else version_id
        return version_difference(version_id, old_id, amount)
    live = TariffVersion.objects.order_by("-id").values_list("id", flat=True).first()
    return _difference(("draft", draft_id, draft.content_hash), _key(live), *_amounts(amount))


def version_difference(new_id: int, old_id: int | None, amount: int | None = None) -> Difference:
    """What differs between two versions; ``old_id`` None: from nothing. Raises NotFound."""
    return _difference(_key(new_id), _key(old_id), *_amounts(amount))


def units_of_sale() -> dict[str, tuple[int, str]]:
    """By category, the size of a unit of sale and what it is called."""
    return {
        category: (size, label)
        for category, size, label in Service.objects.values_list("category", "unit_size", "unit_label")
    }


def _amounts(amount: int | None) -> tuple[tuple[tuple[str, int], ...], int]:
    if amount is not None:
        if amount < 1:
            raise InvalidInput("prices are worked for a usage of 1 or more", where="usage")
        return (), amount
    return tuple(sorted((category, size) for category, (size, _) in units_of_sale().items())), _DEFAULT_AMOUNT


# Which tariff: a version or a draft, its id, and its content, as a database that was rolled back may give an id again.
Key = tuple[str, int, str]


def _key(version_id: int | None) -> Key | None:
    if version_id is None:
        return None
    content_hash = TariffVersion.objects.filter(pk=version_id).values_list("content_hash", flat=True).first()
    if content_hash is None:
        raise NotFound(f"there is no tariff version {version_id}")
    return "version", version_id, content_hash


@lru_cache(maxsize=_KEPT)
def _difference(
    new: Key, old: Key | None, amounts: tuple[tuple[str, int], ...], default_amount: int
) -> Difference:
    before_source, before_tariff = _tariff(old)
    source, tariff = _tariff(new)
    result = difference(before_tariff, tariff, dict(amounts), default_amount)
    result.timings = timing_changes(before_source, source)
    if new[0] == "version":
        result.products = product_changes(_products(old), _products(new))
    return result


def _tariff(key: Key | None) -> tuple[src.TariffSource, Tariff]:
    if key is None:
        return src.TariffSource(), compile_tariff(src.TariffSource())
    if key[0] == "draft":
        draft = draft_tariff(key[1])
        return draft.source, draft.tariff
    return version_source(key[1]), tariff_version(key[1]).tariff


def _products(key: Key | None) -> dict[str, list[dict[str, Any]]]:
    if key is None:
        return {}
    return product_terms_of(key[1])


def product_terms_of(version_id: int) -> dict[str, list[dict[str, Any]]]:
    """Services, price plans and bundles as they were sold by a version, by table; empty if it kept none."""
    terms = version_terms(version_id)
    return {path.removeprefix(_PRODUCTS): rows for path, rows in terms.items() if path.startswith(_PRODUCTS)}
