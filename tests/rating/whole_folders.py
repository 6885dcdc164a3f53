"""Folders with all tables, as operators write them: odd letters, lists, empty cells, quoted text."""

from __future__ import annotations

import csv
import io

from hypothesis import strategies as st

from apps.rating.domain.tariff_files import FOLDER_TABLES

_TEXT = st.one_of(
    st.just(""),
    st.sampled_from(
        ['{"a": "b;c", "n": 1}', "~Subject:s/(.+)/$1,$1/", "^*rated", "*default", "ASR;ACD", "10;20"]
    ),
    st.text('aZé9 ,;"#\n\r\t\u2028*', max_size=6).map(str.strip),
)
_WEIGHT = st.sampled_from(["", "0", "10", "10.5", "-1", "020"])
_FLAG = st.sampled_from(["", "true", "FALSE", "1", "0", "t"])
_WHEN = st.sampled_from(["", "*unlimited", "2026-01-01T00:00:00Z", "2026-01-01 00:00:00"])
_DIRECTION = st.sampled_from(["*out", "*OUT", ""])
_DURATION = st.sampled_from(["", "0", "10", "1m30s", "24h", "500ms"])
_NUMBER = st.sampled_from(["", "0", "10", "1.5"])
_NAMES = st.text("aZé9_.:*-\"'&<", min_size=1, max_size=4)


@st.composite
def whole_folders(draw: st.DrawFn, prices: st.SearchStrategy[dict[str, str]]) -> dict[str, str]:
    """The tables of ``prices``, and some rows for each of the others."""
    files = draw(prices)
    destinations = sorted({row[0] for row in csv.reader(io.StringIO(files["Destinations"])) if row})

    # The number keeps them apart in a database that takes “a” and “Á” for one.
    def ids(kind: str) -> list[str]:
        return [f"{kind}{draw(_NAMES)}{number}" for number in range(draw(st.integers(1, 2)))]

    def some(names: list[str], *keywords: str) -> str:
        return draw(st.sampled_from([*keywords, *names, ";".join(names), f"{names[0]};!{names[-1]}"]))

    groups = ids("SG")
    key = {
        "Direction": lambda: draw(_DIRECTION),
        "Tenant": lambda: draw(st.sampled_from(["default", "brand"])),
        "Category": lambda: draw(st.sampled_from(["call", "*any", "sms"])),
        "Account": lambda: draw(st.sampled_from(["1001", "*any", "1002"])),
        "Subject": lambda: draw(st.sampled_from(["1001", "*any"])),
    }
    columns = key | {
        "Weight": lambda: draw(_WEIGHT),
        "ActivationTime": lambda: draw(_WHEN),
        "DestinationId": lambda: some(destinations, "*any"),
        "DestinationIds": lambda: some(destinations, "", "*any"),
    }
    special = {
        "SharedGroups": {
            "Id": lambda: draw(st.sampled_from(groups)),
            "Account": lambda: draw(st.sampled_from(["*any", "*ANY"])),
            "Strategy": lambda: draw(st.sampled_from(["*lowest", "MINE_RANDOM", "", "*Highest"])),
            "RatingSubject": lambda: draw(st.sampled_from(["", "*zero1m", "SPECIAL", "*ANY"])),
        },
        "DerivedChargers": {
            "RunId": lambda: draw(st.sampled_from(["run1", "run2"])),
            "RunFilter": lambda: "",
            "ReqTypeField": lambda: draw(st.sampled_from(["*default", "^*rated", ""])),
            "AccountField": lambda: draw(
                st.sampled_from(["*default", "^reseller", "~Account:s/^(.*)$/r$1/"])
            ),
            "SubjectField": lambda: draw(st.sampled_from(["*default", "^a,b", ""])),
        },
        "LcrRules": {
            "RPCategory": lambda: "call",
            "Strategy": lambda: draw(st.sampled_from(["*static", "*lowest_cost", "*QOS"])),
            "StrategyParams": lambda: draw(_TEXT),
        },
        "CdrStats": {
            "Id": lambda: draw(st.sampled_from(["Q1", "Q2"])),
            "QueueLength": lambda: draw(_NUMBER),
            "TimeWindow": lambda: draw(_DURATION),
            "SaveInterval": lambda: draw(_DURATION),
            "Triggers": lambda: "",
        },
        "ActionTriggers": {
            "Tag": lambda: draw(st.sampled_from(["WARN", "STOP"])),
            "UniqueId": lambda: draw(st.sampled_from(["", "", "first", "a b"])),
            "ThresholdType": lambda: draw(
                st.sampled_from(["*min_balance", "*MAX_event_counter", "*balance_expired", "*min_asr"])
            ),
            "ThresholdValue": lambda: draw(st.sampled_from(["", "0", "10", "2.0", "-3"])),
            "Recurrent": lambda: draw(_FLAG),
            "MinSleep": lambda: draw(st.sampled_from(["", "0", "10", "1m30s", "24h"])),
            "ExpiryTime": lambda: draw(_WHEN),
            "ActivationTime": lambda: draw(st.sampled_from(["", "*asap", "2025-06-01T00:00:00Z"])),
            "BalanceTag": lambda: draw(st.sampled_from(["", "*any", "*default", "main"])),
            "BalanceType": lambda: draw(st.sampled_from(["", "*monetary", "*VOICE", "*any"])),
            "BalanceDirections": lambda: draw(_DIRECTION),
            "BalanceCategories": lambda: draw(st.sampled_from(["", "*any", "call", "call;sms"])),
            "BalanceDestinationIds": lambda: some(destinations, "", "*any"),
            "BalanceRatingSubject": lambda: draw(st.sampled_from(["", "*any", "*zero1m", "SPECIAL"])),
            "BalanceSharedGroup": lambda: "",
            "BalanceExpiryTime": lambda: draw(_WHEN),
            "BalanceTimingIds": lambda: draw(st.sampled_from(["", "*any"])),
            "BalanceWeight": lambda: draw(st.sampled_from(["", "0", "10", "*any"])),
            "BalanceBlocker": lambda: draw(_FLAG),
            "BalanceDisabled": lambda: draw(_FLAG),
            "StatsMinQueuedItems": lambda: draw(st.sampled_from(["", "0", "10"])),
            "ActionsId": lambda: "*none",
        },
        "Aliases": {"Context": lambda: draw(st.sampled_from(["*rating", "*ANY"]))},
        "Users": {
            "UserName": lambda: draw(st.sampled_from(["1001", "1002"])),
            "Masked": lambda: draw(_FLAG),
        },
        "ResourceLimits": {
            "Id": lambda: draw(st.sampled_from(["L1", "L2"])),
            "FilterType": lambda: draw(st.sampled_from(["*string", "*String_prefix", "*rsr_fields", ""])),
            "Limit": lambda: draw(_NUMBER),
            "ActionTriggers": lambda: "",
        },
    }
    timings = sorted({row[0] for row in csv.reader(io.StringIO(files["Timings"])) if row})
    actions, plans = ids("AC"), ids("AP")
    special |= {
        "Actions": {
            "ActionsId": lambda: draw(st.sampled_from(actions)),
            "Action": lambda: draw(st.sampled_from(["*topup", "*TOPUP_RESET", "*debit", "*log"])),
            "Filter": lambda: "",
            "BalanceId": lambda: draw(st.sampled_from(["", "*default", "main"])),
            "BalanceType": lambda: draw(st.sampled_from(["", "*monetary", "*VOICE"])),
            "Directions": lambda: draw(_DIRECTION),
            "Categories": lambda: draw(st.sampled_from(["", "*any", "call;sms"])),
            "RatingSubject": lambda: draw(st.sampled_from(["", "*zero1m"])),
            "SharedGroup": lambda: draw(st.sampled_from(["", "*any"])),
            "ExpiryTime": lambda: draw(st.sampled_from(["", "*unlimited", "+24h", "*monthly"])),
            "TimingIds": lambda: draw(st.sampled_from(["", "*any", *timings])),
            "Units": lambda: draw(st.sampled_from(["10", "1"])),
            "BalanceWeight": lambda: draw(st.sampled_from(["", "10", "*any"])),
            "BalanceBlocker": lambda: draw(_FLAG),
            "BalanceDisabled": lambda: draw(_FLAG),
        },
        "ActionPlans": {
            "Id": lambda: draw(st.sampled_from(plans)),
            "ActionsId": lambda: draw(st.sampled_from(actions)),
            "TimingId": lambda: draw(st.sampled_from(["", "*ASAP", "*any", "*monthly", *timings])),
            "Weight": lambda: "10",
        },
        "AccountActions": {
            "Account": lambda: draw(st.sampled_from(["1001", "1002;1003"])),
            "ActionPlanId": lambda: draw(st.sampled_from([*plans, ";".join(plans)])),
            "ActionTriggersId": lambda: draw(st.sampled_from(["", "*none"])),
            "AllowNegative": lambda: draw(_FLAG),
            "Disabled": lambda: draw(_FLAG),
        },
    }
    templates = ["*default", "^a,b", "", "~Account:s/^(.*)$/r$1/"]
    charger = special["DerivedChargers"]
    for column in FOLDER_TABLES["DerivedChargers"].columns:
        if column.endswith("Field") or column == "DisconnectCause":
            charger.setdefault(column, lambda: draw(st.sampled_from(templates)))
    for name, own in special.items():
        table = FOLDER_TABLES[name]
        cells = columns | own
        rows = [
            [cells[column]() if column in cells else draw(_TEXT) for column in table.columns]
            for _ in range(draw(st.integers(0, 3)))
        ]
        if name == "Actions" and rows:
            # Each id that the plans may name has a row.
            rows += [[action, *rows[0][1:]] for action in actions]
        if name in ("ActionPlans", "AccountActions") and "Actions" not in files:
            rows = []
        if name == "ActionPlans" and rows:
            rows += [[plan, *rows[0][1:]] for plan in plans]
        if name == "AccountActions":
            rows = list({tuple(row[:2]): row for row in rows}.values()) if "ActionPlans" in files else []
        if name == "SharedGroups":
            rows = list({row[0]: row for row in rows}.values())
        if name == "ActionTriggers":
            rows = list({row[1]: row for row in rows}.values())
        if name == "DerivedChargers":
            rows = list({(*row[:5], row[6]): row for row in rows}.values())
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(table.columns)
        writer.writerows(rows)
        if rows:
            files[name] = text.getvalue()
    return files
