"""Invented customers, the same ones at every start."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import datetime, timedelta

from apps.billing.domain.onboarding import NewLine
from apps.kernel.periods import Period

FIRST_NAMES = (
    "Anna Ben Clara David Emilia Finn Greta Henrik Ida Jonas Klara Leon Mia Noah Olivia Paul Rosa Samuel Tilda Umut "
    "Vera Wim Xenia Yusuf Zoe Amira Boris Chiara Dilan Elif"
).split()
LAST_NAMES = (
    "Ahlers Bergmann Carstens Dierksen Ehlers Friedrichs Gerdes Hansen Ibrahim Jensen Kowalski Lorenzen Matthiesen "
    "Nissen Ohlsen Petersen Quast Rasmussen Sørensen Thomsen Ullrich Vogt Wegener Yılmaz Zander Öztürk"
).split()
COMPANIES = ("Logistik", "Werft", "Bäckerei", "Ingenieure", "Reederei", "Druckerei", "Apotheke", "Gartenbau")
STREETS = (
    "Hafenstraße",
    "Dorfstraße",
    "Am Markt",
    "Lindenallee",
    "Deichweg",
    "Schulweg",
    "Möwenweg",
    "Fördeblick",
)
CITIES = (
    ("24103", "Kiel"),
    ("24937", "Flensburg"),
    ("23552", "Lübeck"),
    ("25813", "Husum"),
    ("20095", "Hamburg"),
    ("18055", "Rostock"),
)
PREPAID_PLANS = ("PREPAID_EASY", "PREPAID_SMART")
POSTPAID_PLANS = ("POSTPAID_START", "POSTPAID_START", "POSTPAID_FLAT", "BUSINESS")
FIRST_MSISDN = 4915550000000


def msisdn_of(number: int) -> str:
    """The MSISDN of the demonstration's subscriber ``number`` (from 1)."""
    return str(FIRST_MSISDN + number)


def invented_lines(first: int, last: int, tenant: str, cycles: int, billed: Period) -> Iterator[NewLine]:
    """Subscribers ``first`` to ``last``; most are older than the billed period, a few begin within it."""
    for number in range(first, last + 1):
        chance = random.Random(number)
        prepaid = (number // cycles) % 4 == 0
        company = not prepaid and chance.random() < 0.15
        plan = chance.choice(PREPAID_PLANS if prepaid else POSTPAID_PLANS)
        postcode, city = chance.choice(CITIES)
        last_name = chance.choice(LAST_NAMES)
        yield NewLine(
            tenant=tenant,
            customer_number=f"C{number:06d}",
            customer_name=(
                f"{last_name} {chance.choice(COMPANIES)} GmbH"
                if company
                else f"{chance.choice(FIRST_NAMES)} {last_name}"
            ),
            kind="company" if company else "person",
            street=f"{chance.choice(STREETS)} {chance.randint(1, 120)}",
            postcode=postcode,
            city=city,
            country="DE",
            locale="de_DE" if chance.random() < 0.3 else "",
            subscriber_number=f"S{number:06d}",
            msisdn=msisdn_of(number),
            imsi=f"26299{number:010d}",
            mode="prepaid" if prepaid else "postpaid",
            price_plan=plan,
            bundles=_bundles(chance, prepaid),
            cycle=(number - 1) % cycles + 1,
            start=_start(chance, billed),
            opening_balance_micros=chance.choice((50, 75, 100)) * 1_000_000 if prepaid else 0,
        )


def _bundles(chance: random.Random, prepaid: bool) -> tuple[str, ...]:
    if prepaid:
        return ()
    return tuple(code for code in ("DATA_2GB", "ABROAD_60") if chance.random() < 0.1)


def _start(chance: random.Random, billed: Period) -> datetime:
    if chance.random() < 0.04:
        return billed.start + timedelta(days=chance.randint(3, 20), hours=9)
    return billed.start - timedelta(days=chance.randint(40, 900))
