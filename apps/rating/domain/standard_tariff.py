"""The tariff plan that is shipped: every country of the world, fixed and mobile, in five price zones.

Made from the numbering plans rather than kept as files, so that it follows them; an operator starts from
the folder that ``maketariffplan`` writes and puts in prices of its own.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from apps.rating.domain.numbering import NumberRange

EUROPEAN_UNION = frozenset(
    [
        "AT",
        "BE",
        "BG",
        "HR",
        "CY",
        "CZ",
        "DK",
        "EE",
        "FI",
        "FR",
        "DE",
        "GR",
        "HU",
        "IE",
        "IT",
        "LV",
        "LT",
        "LU",
        "MT",
        "NL",
        "PL",
        "PT",
        "RO",
        "SK",
        "SI",
        "ES",
        "SE",
        "IS",
        "LI",
        "NO",
        "AX",
    ]
)
EUROPE = frozenset(
    [
        "AL",
        "AD",
        "BA",
        "BY",
        "CH",
        "FO",
        "GB",
        "GG",
        "GI",
        "IM",
        "JE",
        "MC",
        "MD",
        "ME",
        "MK",
        "RS",
        "RU",
        "SM",
        "TR",
        "UA",
        "VA",
        "XK",
        "SJ",
    ]
)
NORTH_AMERICA = frozenset({"US", "CA", "PR"})
POPULAR = frozenset(
    [
        "AU",
        "NZ",
        "JP",
        "CN",
        "HK",
        "TW",
        "SG",
        "KR",
        "IL",
        "IN",
        "BR",
        "MX",
        "AR",
        "CL",
        "CO",
        "MY",
        "TH",
        "ZA",
        "AE",
        "SA",
    ]
)


class Zone(NamedTuple):
    """Prices of a group of countries, in decimal text: a minute to fixed and to mobile (empty: none), and a message."""

    name: str
    fixed_minute: str
    mobile_minute: str
    message: str


HOME = Zone("HOME", "0.05", "0.09", "0.09")
ZONES = (
    Zone("EU", "0.19", "0.19", "0.06"),
    Zone("EUROPE", "0.29", "0.49", "0.19"),
    Zone("NORTH_AMERICA", "0.19", "0.19", "0.19"),
    Zone("POPULAR", "0.39", "0.59", "0.19"),
    Zone("WORLD", "0.99", "1.29", "0.29"),
    Zone("SATELLITE", "4.99", "", "0.49"),
)

HEADERS = {
    "Timings": "#Tag,Years,Months,MonthDays,WeekDays,Time",
    "Destinations": "#Id,Prefix",
    "Rates": "#Id,ConnectFee,Rate,RateUnit,RateIncrement,GroupIntervalStart",
    "DestinationRates": "#Id,DestinationId,RatesTag,RoundingMethod,RoundingDecimals,MaxCost,MaxCostStrategy",
    "RatingPlans": "#Id,DestinationRatesId,TimingTag,Weight",
    "RatingProfiles": (
        "#Direction,Tenant,Category,Subject,ActivationTime,RatingPlanId,RatesFallbackSubject,CdrStatQueueIds"
    ),
}


def zone_of(region: str, home: str) -> Zone:
    """The price zone of a country (ISO 3166 code) as seen from the home country."""
    if region == home:
        return HOME
    members = (EUROPEAN_UNION, EUROPE, NORTH_AMERICA, POPULAR)
    for zone, regions in zip(ZONES, members, strict=False):
        if region in regions:
            return zone
    return ZONES[4]


def standard_tariff(
    ranges: Iterable[NumberRange], *, tenant: str, home: str, activation: str
) -> dict[str, str]:
    """The text of each CGRateS file by its name without ``.csv``, for a tenant whose home country is ``home``.

    ``activation`` is when the prices begin, as ``2026-01-01T00:00:00Z``.
    """
    known = list(ranges)
    destinations = sorted({number_range.destination for number_range in known})
    rows = {
        "Timings": _timings(),
        "Destinations": [f"{number_range.destination},{number_range.prefix}" for number_range in known],
        "Rates": _rates(),
        "DestinationRates": _destination_rates(destinations, home),
        "RatingPlans": _rating_plans(),
        "RatingProfiles": _rating_profiles(tenant, activation),
    }
    return {name: "\n".join([HEADERS[name], *lines]) + "\n" for name, lines in rows.items()}


def _timings() -> list[str]:
    return [
        "NIGHT,*any,*any,*any,1;2;3;4;5,00:00:00",
        "PEAK,*any,*any,*any,1;2;3;4;5,08:00:00",
        "EVENING,*any,*any,*any,1;2;3;4;5,20:00:00",
        "WEEKEND,*any,*any,*any,6;7,00:00:00",
        "NEW_YEAR,*any,1,1,*any,00:00:00",
        "LABOUR_DAY,*any,5,1,*any,00:00:00",
        "CHRISTMAS,*any,12,25;26,*any,00:00:00",
    ]


def _rates() -> list[str]:
    rows = []
    for zone in (HOME, *ZONES):
        for network, minute in (("FIXED", zone.fixed_minute), ("MOBILE", zone.mobile_minute)):
            if not minute:
                continue
            # The first minute is charged whole, then every second (60/1).
            rows.append(f"RT_{zone.name}_{network},0,{minute},60s,60s,0s")
            rows.append(f"RT_{zone.name}_{network},0,{minute},60s,1s,60s")
        rows.append(f"RT_{zone.name}_SMS,0,{zone.message},1,1,0")
    rows += [
        "RT_HOME_OFFPEAK,0,0.03,60s,60s,0s",
        "RT_HOME_OFFPEAK,0,0.03,60s,1s,60s",
        "RT_BUSINESS_HOME,0,0.04,60s,1s,0s",
        "RT_DATA,0,0.02,1048576,10240,0",
        "RT_BUSINESS_DATA,0,0.01,1048576,10240,0",
        "RT_MMS,0,0.39,1,1,0",
    ]
    return rows


def _destination_rates(destinations: list[str], home: str) -> list[str]:
    rows = []
    for destination in destinations:
        zone, network = _zone_and_network(destination, home)
        rows.append(f"DR_SMS,{destination},RT_{zone.name}_SMS,*up,4,0,")
        if zone is HOME:
            rows.append(f"DR_HOME_PEAK,{destination},RT_HOME_{network},*up,4,0,")
            rows.append(f"DR_HOME_OFFPEAK,{destination},RT_HOME_OFFPEAK,*up,4,0,")
            rows.append(f"DR_BUSINESS_HOME,{destination},RT_BUSINESS_HOME,*up,4,0,")
        else:
            rows.append(f"DR_ABROAD,{destination},RT_{zone.name}_{network},*up,4,0,")
    rows += [
        "DR_DATA,*any,RT_DATA,*up,4,0,",
        "DR_BUSINESS_DATA,*any,RT_BUSINESS_DATA,*up,4,0,",
        "DR_MMS,*any,RT_MMS,*up,4,0,",
    ]
    return rows


def _zone_and_network(destination: str, home: str) -> tuple[Zone, str]:
    region, _, network = destination.rpartition("_")
    if network not in ("FIXED", "MOBILE") or len(region) != 2:
        return ZONES[5], "FIXED"
    return zone_of(region, home), network


def _rating_plans() -> list[str]:
    return [
        "RP_VOICE,DR_HOME_PEAK,PEAK,10",
        "RP_VOICE,DR_HOME_OFFPEAK,NIGHT,10",
        "RP_VOICE,DR_HOME_OFFPEAK,EVENING,10",
        "RP_VOICE,DR_HOME_OFFPEAK,WEEKEND,10",
        "RP_VOICE,DR_HOME_OFFPEAK,NEW_YEAR,20",
        "RP_VOICE,DR_HOME_OFFPEAK,LABOUR_DAY,20",
        "RP_VOICE,DR_HOME_OFFPEAK,CHRISTMAS,20",
        "RP_VOICE,DR_ABROAD,*any,10",
        "RP_SMS,DR_SMS,*any,10",
        "RP_DATA,DR_DATA,*any,10",
        "RP_MMS,DR_MMS,*any,10",
        "RP_BUSINESS_VOICE,DR_BUSINESS_HOME,*any,10",
        "RP_BUSINESS_DATA,DR_BUSINESS_DATA,*any,10",
    ]


def _rating_profiles(tenant: str, activation: str) -> list[str]:
    plans = {"call": "RP_VOICE", "sms": "RP_SMS", "data": "RP_DATA", "mms": "RP_MMS"}
    rows = [f"*out,{tenant},{category},*any,{activation},{plan},," for category, plan in plans.items()]
    # What the business plan does not name (calls abroad) falls back to everybody's prices.
    rows.append(f"*out,{tenant},call,BUSINESS,{activation},RP_BUSINESS_VOICE,*any,")
    rows.append(f"*out,{tenant},data,BUSINESS,{activation},RP_BUSINESS_DATA,*any,")
    return rows
