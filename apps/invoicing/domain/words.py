"""How things of a bill are called on it: subscribers, destinations, services' quantities."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

import phonenumbers
from babel import Locale

from apps.invoicing.domain.bill_data import BillData, ServiceInfo
from apps.invoicing.domain.formats import DURATION_TYPES, Formats
from apps.invoicing.domain.labels import labels_for, service_name

# What the billing room itself writes on lines of one-off charges (apps.billing.domain.values).
OF_THE_BALANCE = {"Paid from the balance": "paid_from_balance", "Other debits of the balance": "other_debits"}
INTERNATIONAL = phonenumbers.PhoneNumberFormat.INTERNATIONAL
ANY_DESTINATION = "*any"


def subscriber_text(bill: BillData, subscriber_id: int | None) -> str:
    """The number and name under which a subscriber appears; empty for none."""
    return "" if subscriber_id is None else bill.subscribers.get(subscriber_id, str(subscriber_id))


def online_text(description: str, labels: Mapping[str, str], language: str) -> str:
    """An online charge in the language of the document: a service's name, or the product's own words."""
    if description in OF_THE_BALANCE:
        return labels[OF_THE_BALANCE[description]]
    return service_name(description, language)


@lru_cache(maxsize=8192)
def msisdn_text(msisdn: str) -> str:
    """An MSISDN as people write it: ``+49 1512 3456789``; with a plus alone if its plan is not known."""
    try:
        return str(phonenumbers.format_number(phonenumbers.parse(f"+{msisdn}"), INTERNATIONAL))
    except phonenumbers.NumberParseException:
        return f"+{msisdn}"


@lru_cache(maxsize=8192)
def destination_name(tag: str, language: str) -> str:
    """A destination's tag for people: “Germany, mobile” for ``DE_MOBILE``; others in words of their own.

    ``*any`` is no place and stays empty, as for data.
    """
    if tag == ANY_DESTINATION:
        return ""
    region, _, network = tag.rpartition("_")
    country = Locale.parse(language).territories.get(region) if len(region) == 2 else None
    word = labels_for(language).get(f"network_{network.lower()}")
    if country and word:
        return f"{country}, {word}"
    return labels_for(language).get(f"destination_{tag.lower()}", tag)


def quantity(amount: int, service: ServiceInfo, formats: Formats) -> str:
    """An amount of usage with its unit: ``2:03 min``, ``1:02:03 h``, ``12.5 MB``, ``7``."""
    text = formats.usage(amount, service.type_of_record, service.unit_size)
    if service.type_of_record in DURATION_TYPES:
        return f"{text}\xa0{'h' if text.count(':') == 2 else 'min'}"
    return f"{text}\xa0{service.unit_label}" if service.unit_size > 1 and service.unit_label else text
