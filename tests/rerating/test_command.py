"""``rerate``: simulate, show, apply, reverse, list."""

from __future__ import annotations

from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from apps.mediation.models import Cdr
from apps.rerating.models import RerateJob
from tests.rerating.scenes import correct_price, load_calls, make_operator

pytestmark = pytest.mark.django_db
MARCH = ("--from", "2026-03-01", "--until", "2026-04-01")


def rerate(*words: Any) -> list[str]:
    out = StringIO()
    call_command("rerate", *map(str, words), stdout=out)
    return out.getvalue().splitlines()


def test_a_price_error_is_seen_corrected_and_taken_back():
    make_operator("postpaid", "prepaid")
    load_calls({"by": 1, "duration_s": 600}, {"by": 2, "duration_s": 60})
    correct_price(60_000)
    shown = rerate("simulate", *MARCH, "--plan", "PLAN", "--note", "a slip")
    job = RerateJob.objects.get()
    assert shown == [
        f"Re-rating {job.pk}: 2026-03-01 until 2026-04-01 of default, by tariff version {job.tariff_version_id}, "
        "2 accounts, simulated (a slip)",
        "2 of 2 records and 2 of 2 accounts change, 0 cannot be priced: 0.99 EUR → 0.66 EUR (-0.33 EUR)",
        "  simulated: 2 accounts",
    ]
    by_account = rerate("show", job.pk, "--csv", "accounts")
    assert by_account[1:] == [
        "C1,simulated,1,1,0,0,0,0.90,0.60,-0.30,0.00,EUR,",
        "C2,simulated,1,1,0,0,0,0.09,0.06,-0.03,0.00,EUR,",
    ]
    (by_place,) = rerate("show", job.pk, "--csv", "destinations")[1:]
    assert by_place.startswith("Voice,Plan,")
    assert by_place.endswith(",2,0,0,660,660,0.99,0.66,-0.33,EUR")
    assert rerate("apply", job.pk)[-1] == "  applied: 2 accounts"
    assert sum(Cdr.objects.values_list("cost_micros", flat=True)) == 660_000
    assert rerate("reverse", job.pk)[-1] == "  reversed: 2 accounts"
    assert sum(Cdr.objects.values_list("cost_micros", flat=True)) == 990_000
    assert rerate("list") == [shown[0].replace("simulated", "reversed")]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("apply", 7), "there is no re-rating 7"),
        (("show", 7), "there is no re-rating 7"),
        (("simulate", *MARCH, "--plan", "NONE"), "there is no price plan “NONE”"),
        (("simulate", *MARCH, "--account", "C9"), "there is no account “C9”"),
        (("simulate", *MARCH, "--as-of", "soon"), "neither a tariff version"),
        (("simulate", "--from", "2026-04-01", "--until", "2026-03-01"), "ends before it begins"),
    ],
)
def test_what_is_wrong_is_said(words, message):
    make_operator("postpaid")
    with pytest.raises(CommandError, match=message):
        rerate(*words)
