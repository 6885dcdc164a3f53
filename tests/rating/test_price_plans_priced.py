"""A µBSS price plan is priced by the same engine: flat prices a service, the rest by its rating subject."""

from __future__ import annotations

import pytest

from apps.rating.domain import Rater, RatingError, compile_tariff
from apps.rating.domain.snapshot import decode, encode
from apps.rating.domain.source import PricePlan, ServicePrice, TariffSource
from tests.rating.tariffs import slot, tariff_source, usage

PLANS = [
    PricePlan(
        "default",
        "SMART",
        "*any",
        None,
        (ServicePrice("sms", 1, 90_000), ServicePrice("data", 1_048_576, 20_000)),
    ),
    PricePlan("default", "FLAT", "", "2026-02-01", (ServicePrice("call", 60, 50_000),)),
    PricePlan("default", "GOLD", "vip", None, ()),
]


def machine(zone: str = "UTC") -> Rater:
    return Rater(compile_tariff(tariff_source([slot("0.6")], price_plans=PLANS, zone=zone)))


def code_of(piece: object, rater: Rater) -> str:
    with pytest.raises(RatingError) as caught:
        rater.rate(piece)  # type: ignore[arg-type]
    return caught.value.code


def test_a_priced_service_costs_its_price_for_each_unit_begun() -> None:
    rater = machine()
    sms = usage(3, subject="*plan:SMART", category="sms", tor="sms")
    assert rater.rate(sms).cost_micros == 270_000
    data = usage(1_048_577, subject="*plan:SMART", category="data", tor="data")
    rated = rater.rate(data)
    assert (rated.cost_micros, rated.billed_usage) == (40_000, 2 * 1_048_576)
    assert (rated.subject, rated.rating_plan, rated.destination) == ("*plan:SMART", "*plan:SMART", "*any")


def test_a_service_without_a_price_falls_to_the_rating_subject() -> None:
    rater = machine()
    rated = rater.rate(usage(61, subject="*plan:SMART"))
    assert (rated.cost_micros, rated.subject, rated.rating_plan) == (1_200_000, "*any", "RP")
    # A rating subject without a profile of its own is rated as any other subject.
    assert rater.rate(usage(61, subject="*plan:GOLD")).subject == "*any"


def test_without_a_rating_subject_and_a_price_there_is_no_rating_plan() -> None:
    rater = machine()
    assert code_of(usage(subject="*plan:FLAT", category="sms", tor="sms"), rater) == "no_rating_plan"
    assert code_of(usage(subject="*plan:UNKNOWN"), rater) == "no_rating_plan"


def test_a_plan_prices_nothing_that_begins_on_its_expiration_date_or_later() -> None:
    rater = machine("America/New_York")
    # 1 February begins at 05:00 UTC there; a call begun before is priced to its end.
    assert rater.rate(usage(120, "2026-02-01T04:59:59Z", subject="*plan:FLAT")).cost_micros == 100_000
    assert code_of(usage(60, "2026-02-01T05:00:00Z", subject="*plan:FLAT"), rater) == "plan_expired"
    late = usage(60, "2026-02-01T05:00:30Z", subject="*plan:FLAT")
    assert rater.rate(late, 60).cost_micros == 50_000
    assert code_of(late._replace(tor="data"), rater) == "plan_expired"


def test_a_snapshot_comes_back_as_it_was_and_is_named_by_its_content() -> None:
    source = tariff_source([slot("0.6")], price_plans=PLANS)
    snapshot = encode(source)
    assert decode(snapshot.data) == source
    assert encode(decode(snapshot.data)) == snapshot
    other = encode(source._replace(price_plans=()))
    assert other.content_hash != snapshot.content_hash
    assert decode(encode(TariffSource()).data) == TariffSource()


@pytest.mark.parametrize("data", [b"", b"nonsense", encode(TariffSource()).data[:-3]])
def test_bytes_that_are_no_snapshot_are_refused(data: bytes) -> None:
    from apps.kernel.errors import InvalidInput

    with pytest.raises(InvalidInput):
        decode(data)
