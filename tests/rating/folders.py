"""Folders of tariff files for tests."""

from __future__ import annotations

from pathlib import Path

MINIMAL = {
    "Timings": "Tag,Years,Months,MonthDays,WeekDays,Time\nPEAK,*any,*any,*any,1;2;3;4;5,08:00:00\n",
    "Destinations": "Id,Prefix\nGERMANY,49\nDE_MOBILE,4915\nDE_MOBILE,4917\n",
    "Rates": (
        "Id,ConnectFee,Rate,RateUnit,RateIncrement,GroupIntervalStart\n"
        "RT_FIX,0.1,0.6,60s,60s,0s\nRT_FIX,0.1,0.6,60s,1s,60s\nRT_MOB,0,1.2,1m,30,0\n"
    ),
    "DestinationRates": (
        "Id,DestinationId,RatesTag,RoundingMethod,RoundingDecimals,MaxCost,MaxCostStrategy\n"
        "DR,GERMANY,RT_FIX,*up,4,0,\nDR,DE_MOBILE,RT_MOB,*up,4,0,\n"
    ),
    "RatingPlans": "Id,DestinationRatesId,TimingTag,Weight\nRP,DR,*any,10\n",
    "RatingProfiles": (
        "Tenant,Category,Subject,ActivationTime,RatingPlanId,RatesFallbackSubject\n"
        "default,call,*any,2026-01-01T00:00:00Z,RP,\n"
    ),
}


def encoded(**files: str) -> dict[str, bytes]:
    """The minimal files with some replaced; an empty text leaves one out."""
    return {name: text.encode() for name, text in (MINIMAL | files).items() if text}


def write_folder(path: Path, **files: str) -> Path:
    path.mkdir(parents=True, exist_ok=True)
    for name, data in encoded(**files).items():
        (path / f"{name}.csv").write_bytes(data)
    return path
