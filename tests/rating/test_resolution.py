"""Who prices a number: profiles, fallbacks, activations, categories, tenants, destinations and their weights."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from apps.rating.domain import Rater, RatingError, compile_tariff
from apps.rating.domain.explain import explain
from apps.rating.domain.source import (
    Destination,
    DestinationRate,
    Rate,
    RateSlot,
    RatingPlanEntry,
    RatingProfile,
    TariffPlan,
    TariffSource,
    Timing,
)
from tests.rating.tariffs import usage

DESTINATIONS = (
    Destination("GERMANY", ("49",)),
    Destination("DE_MOBILE", ("4915", "4917")),
    Destination("BERLIN", ("4930",)),
    Destination("CAPITALS", ("4930", "33")),
    Destination("SPECIAL", ("+800",)),
)


def epoch(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp())


def tariff(
    profiles: list[RatingProfile],
    plans: dict[str, dict[str, str]],
    *,
    tenants: tuple[tuple[str, str], ...] = (("default", "UTC"),),
    weights: dict[str, str] | None = None,
    code: str = "*shared",
) -> TariffSource:
    """Each plan maps destinations to a price a minute; a weight may be set for each destination."""
    rates, groups, entries = [], [], []
    for plan, prices in plans.items():
        for destination, price in prices.items():
            name = f"{plan}_{destination}"
            rates.append(Rate(name, (RateSlot(0, "0", price, 60, 60),)))
            groups.append(DestinationRate(name, destination, name))
            entries.append(RatingPlanEntry(plan, name, "*any", (weights or {}).get(destination, "10")))
    plan_rows = TariffPlan(
        code, (), DESTINATIONS, tuple(rates), tuple(groups), tuple(entries), tuple(profiles)
    )
    return TariffSource(tenants, (plan_rows,))


def profile(
    subject: str,
    plan: str,
    *fallbacks: str,
    since: str = "1970-01-01T00:00:00Z",
    category: str = "call",
    tenant: str = "default",
) -> RatingProfile:
    return RatingProfile(tenant, category, subject, epoch(since), plan, fallbacks)


def rater(*args: object, depth: int = 3, **options: object) -> Rater:
    return Rater(compile_tariff(tariff(*args, **options)), depth)  # type: ignore[arg-type]


def code_of(machine: Rater, piece: object) -> str:
    with pytest.raises(RatingError) as caught:
        machine.rate(piece)  # type: ignore[arg-type]
    return caught.value.code


def test_the_longest_prefix_that_the_plan_knows_wins() -> None:
    machine = rater([profile("*any", "P")], {"P": {"GERMANY": "0.1", "DE_MOBILE": "0.3", "*any": "9"}})
    for number, destination, prefix in (
        ("49301", "GERMANY", "49"),
        ("49151", "DE_MOBILE", "4915"),
        ("49171", "DE_MOBILE", "4917"),
        ("331", "*any", "*any"),
        ("4", "*any", "*any"),
        ("", "*any", "*any"),
    ):
        rated = machine.rate(usage(destination=number))
        assert (rated.destination, rated.prefix, rated.rating_plan) == (destination, prefix, "P")


def test_a_longer_prefix_that_the_plan_does_not_price_is_passed_over() -> None:
    machine = rater([profile("*any", "P")], {"P": {"GERMANY": "0.1"}})
    assert machine.rate(usage(destination="49151")).destination == "GERMANY"


@pytest.mark.parametrize(("heavy", "light"), [("BERLIN", "CAPITALS"), ("CAPITALS", "BERLIN")])
def test_of_destinations_that_share_a_prefix_the_highest_weight_wins(heavy: str, light: str) -> None:
    machine = rater(
        [profile("*any", "P")], {"P": {light: "0.1", heavy: "0.2"}}, weights={heavy: "20", light: "10.5"}
    )
    assert machine.rate(usage(destination="49301")).destination == heavy


def test_a_plus_sign_matches_with_and_without() -> None:
    machine = rater([profile("*any", "P")], {"P": {"SPECIAL": "0.1", "GERMANY": "0.2"}})
    for number, prefix in (("8001", "+800"), ("+8001", "+800"), ("+4930", "49"), ("4930", "49")):
        assert machine.rate(usage(destination=number)).prefix == prefix


def test_a_subject_has_its_own_profile_and_others_that_of_any() -> None:
    machine = rater(
        [profile("*any", "P"), profile("alice", "Q")], {"P": {"*any": "0.1"}, "Q": {"*any": "0.2"}}
    )
    assert machine.rate(usage(subject="alice")).matched == ("alice", "*any", "*any", "Q")
    assert machine.rate(usage(subject="bob")).matched == ("*any", "*any", "*any", "P")


def test_a_profile_without_the_destination_is_not_helped_by_that_of_any() -> None:
    machine = rater(
        [profile("*any", "P"), profile("alice", "Q")], {"P": {"*any": "0.1"}, "Q": {"GERMANY": "0.2"}}
    )
    assert code_of(machine, usage(subject="alice", destination="331")) == "unauthorised_destination"


def test_fallback_subjects_are_asked_in_order() -> None:
    machine = rater(
        [
            profile("alice", "DE", "ghost", "fr1", "fr2"),
            profile("fr1", "DE"),
            profile("fr2", "FR"),
        ],
        {"DE": {"GERMANY": "0.1"}, "FR": {"CAPITALS": "0.2", "*any": "0.9"}},
    )
    assert machine.rate(usage(subject="alice", destination="49301")).subject == "alice"
    rated = machine.rate(usage(subject="alice", destination="331"))
    assert (rated.subject, rated.destination, rated.cost_micros) == ("fr2", "CAPITALS", 200_000)


def test_the_depth_counts_profiles_and_three_is_the_default() -> None:
    profiles = [profile(f"s{n}", "DE", f"s{n + 1}") for n in range(1, 4)] + [profile("s4", "ANY")]
    plans = {"DE": {"GERMANY": "0.1"}, "ANY": {"*any": "0.9"}}
    france = "331"
    assert rater(profiles, plans).rate(usage(subject="s2", destination=france)).subject == "s4"
    assert (
        code_of(rater(profiles, plans), usage(subject="s1", destination=france)) == "unauthorised_destination"
    )
    assert rater(profiles, plans, depth=4).rate(usage(subject="s1", destination=france)).subject == "s4"
    shallow = rater(profiles, plans, depth=1)
    assert code_of(shallow, usage(subject="s3", destination=france)) == "unauthorised_destination"


def test_fallbacks_in_a_circle_end() -> None:
    circle = [profile(f"s{n}", "DE", *(f"s{m}" for m in range(12))) for n in range(12)]
    machine = rater(circle, {"DE": {"GERMANY": "0.1"}}, depth=1_000)
    assert code_of(machine, usage(subject="s0", destination="331")) == "unauthorised_destination"


def test_a_shorter_way_to_a_fallback_is_found_although_a_longer_one_was_cut_off() -> None:
    profiles = [
        profile("a", "DE", "b", "c"),
        profile("b", "DE", "c"),
        profile("c", "DE", "d"),
        profile("d", "ANY"),
    ]
    machine = rater(profiles, {"DE": {"GERMANY": "0.1"}, "ANY": {"*any": "0.9"}})
    assert machine.rate(usage(subject="a", destination="331")).subject == "d"


def test_the_latest_activation_before_the_start_applies() -> None:
    machine = rater(
        [
            profile("*any", "NEW", since="2026-02-01T00:00:00Z"),
            profile("*any", "OLD", since="2026-01-01T00:00:00Z"),
        ],
        {"OLD": {"*any": "0.1"}, "NEW": {"*any": "0.2"}},
    )
    assert machine.rate(usage(start="2026-01-31T23:59:00Z")).rating_plan == "OLD"
    assert machine.rate(usage(start="2026-02-01T00:00:00Z")).rating_plan == "NEW"
    assert code_of(machine, usage(start="2025-12-31T23:59:59Z")) == "no_rating_plan"


def test_a_later_activation_splits_a_call_but_not_data() -> None:
    machine = rater(
        [
            profile("*any", "OLD", since="2026-01-01T00:00:00Z"),
            profile("*any", "NEW", since="2026-02-01T00:00:00Z"),
        ],
        {"OLD": {"*any": "0.1"}, "NEW": {"*any": "0.2"}},
    )
    # 60 s by 0.1 and 60 s by 0.2; named is the plan at the beginning.
    rated = machine.rate(usage(120, "2026-01-31T23:59:00Z"))
    assert (rated.cost_micros, rated.rating_plan) == (300_000, "OLD")
    assert machine.rate(usage(120, "2026-01-31T23:59:00Z", tor="data")).cost_micros == 200_000
    assert [line.rating_plan for line in explain(machine, usage(120, "2026-01-31T23:59:00Z")).lines] == [
        "OLD",
        "NEW",
    ]


def test_an_increment_runs_past_an_activation() -> None:
    machine = rater(
        [
            profile("*any", "OLD", since="2026-01-01T00:00:00Z"),
            profile("*any", "NEW", since="2026-02-01T00:00:00Z"),
        ],
        {"OLD": {"*any": "0.1"}, "NEW": {"*any": "0.2"}},
    )
    # The minute begun 30 s before midnight is billed whole at 0.1; only then the new plan: 0.1 + 0.2.
    assert machine.rate(usage(90, "2026-01-31T23:59:30Z")).cost_micros == 300_000
    assert machine.rate(usage(60, "2026-01-31T23:59:30Z")).cost_micros == 100_000


def test_a_profile_that_is_not_active_yet_leaves_its_subject_to_any() -> None:
    machine = rater(
        [profile("*any", "P"), profile("alice", "Q", since="2026-02-01T00:00:00Z")],
        {"P": {"*any": "0.1"}, "Q": {"*any": "0.2"}},
    )
    assert machine.rate(usage(subject="alice")).subject == "*any"
    # And a call into the activation goes over to the subject's own profile: 0.1 + 0.2.
    assert machine.rate(usage(120, "2026-01-31T23:59:00Z", subject="alice")).cost_micros == 300_000
    assert machine.rate(usage(subject="alice", start="2026-03-01T00:00:00Z")).subject == "alice"


def test_categories_and_tenants_are_apart() -> None:
    machine = rater(
        [profile("*any", "P"), profile("*any", "Q", category="sms"), profile("*any", "Q", tenant="brand")],
        {"P": {"*any": "0.1"}, "Q": {"*any": "0.2"}},
        tenants=(("default", "UTC"), ("brand", "UTC")),
    )
    assert machine.rate(usage()).rating_plan == "P"
    assert machine.rate(usage(category="sms")).rating_plan == "Q"
    assert machine.rate(usage(tenant="brand")).rating_plan == "Q"
    assert code_of(machine, usage(category="mms")) == "no_rating_plan"
    assert code_of(machine, usage(tenant="nobody")) == "no_rating_plan"


def test_two_tenants_may_use_the_same_ids_for_different_things() -> None:
    mine = tariff([profile("*any", "P")], {"P": {"GERMANY": "0.1"}}, code="default")
    theirs = tariff([profile("*any", "P", tenant="brand")], {"P": {"GERMANY": "0.5"}}, code="brand")
    foreign = theirs.tariff_plans[0]._replace(destinations=(Destination("GERMANY", ("33",)),))
    machine = Rater(
        compile_tariff(TariffSource((("default", "UTC"), ("brand", "UTC")), (mine.tariff_plans[0], foreign)))
    )
    assert machine.rate(usage(destination="4930")).cost_micros == 100_000
    assert machine.rate(usage(destination="331", tenant="brand")).cost_micros == 500_000
    assert code_of(machine, usage(destination="4930", tenant="brand")) == "unauthorised_destination"


def test_a_gap_in_the_timings_is_an_error_that_names_the_instant() -> None:
    source = tariff([profile("*any", "P")], {"P": {"*any": "0.1"}}, tenants=(("default", "Europe/Berlin"),))
    plan = source.tariff_plans[0]
    plan = plan._replace(
        timings=(Timing("NIGHT", start_s=20 * 3600),),
        rating_plans=(plan.rating_plans[0]._replace(timing_id="NIGHT"),),
    )
    machine = Rater(compile_tariff(source._replace(tariff_plans=(plan,))))
    assert machine.rate(usage(start="2026-01-05T19:00:00Z")).cost_micros == 100_000
    with pytest.raises(RatingError, match="2026-01-05 19:59:59\\+01:00") as caught:
        machine.rate(usage(start="2026-01-05T18:59:59Z"))
    assert caught.value.code == "no_rate_interval"
    # So is a call that runs into the gap.
    assert code_of(machine, usage(120, "2026-01-05T22:59:00Z")) == "no_rate_interval"


def test_zero_usage_costs_nothing_even_where_nothing_is_authorised() -> None:
    machine = rater([profile("*any", "P")], {"P": {"GERMANY": "0.1"}})
    assert machine.rate(usage(0, destination="331")).cost_micros == 0
    assert machine.rate(usage(0, destination="4930")).destination == "GERMANY"
    assert machine.rate_within(usage(0), 100)[0] == 0


def test_a_reference_that_leads_nowhere_is_named_when_the_tariff_is_compiled() -> None:
    from apps.kernel.errors import InvalidInputs

    source = tariff(
        [profile("*any", "GONE"), profile("*any", "P", tenant="ghost")], {"P": {"NOWHERE": "0.1"}}
    )
    with pytest.raises(InvalidInputs) as caught:
        compile_tariff(source)
    text = str(caught.value)
    assert "“GONE”" in text
    assert "“NOWHERE”" in text
    assert "“ghost”" in text


@pytest.mark.parametrize(
    "change",
    [
        {"amount": -1},
        {"amount": 60.0},
        {"amount": True},
        {"amount": 1 << 63},
        {"amount": 367 * 86_400},
        {"tor": "*voice"},
        {"tor": "Voice"},
        {"start": datetime(2026, 1, 5, 12)},  # noqa: DTZ001
        {"start": datetime(1969, 12, 31, tzinfo=UTC)},
        {"start": datetime(9999, 12, 31, tzinfo=UTC)},
        {"start": "2026-01-05"},
    ],
    ids=str,
)
def test_usage_that_makes_no_sense_is_refused_also_where_its_like_was_priced_before(change: dict) -> None:
    machine = rater([profile("*any", "P")], {"P": {"*any": "0.1"}})
    machine.rate(usage())
    piece = usage()._replace(**change)
    assert code_of(machine, piece) == "invalid_usage"


@pytest.mark.parametrize("position", [-1, 1.5, True])
def test_a_position_that_makes_no_sense_is_refused(position: object) -> None:
    machine = rater([profile("*any", "P")], {"P": {"*any": "0.1"}})
    with pytest.raises(RatingError) as caught:
        machine.rate(usage(), position)  # type: ignore[arg-type]
    assert caught.value.code == "invalid_usage"
