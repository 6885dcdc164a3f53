"""Account triggers in JSON."""

from __future__ import annotations

from rest_framework import serializers

from apps.crmapi.rest.fields import (
    AmountField,
    InstantField,
    MoneyField,
    PageQuery,
    RequestBody,
    Shape,
    StrictBoolean,
    StrictInteger,
    StrictText,
    TextOrNull,
)
from apps.crmapi.rest.shapes.choices import BALANCE_KIND, TRIGGER_ACTION, TRIGGER_KIND

WINDOWS_S = [3_600, 86_400]


class TriggerShape(Shape):
    """What happens when a balance or usage reaches a threshold: crosses it, is at it, or was counted up to it."""

    id = serializers.IntegerField()
    name = serializers.CharField()
    enabled = serializers.BooleanField()
    kind = serializers.ChoiceField(TRIGGER_KIND)
    threshold = MoneyField(source="threshold_micros")
    threshold_micros = serializers.IntegerField()
    window_s = serializers.IntegerField(
        allow_null=True, help_text="Of `spent`: an hour or a day, in seconds."
    )
    currency = serializers.CharField()
    balance_tag = serializers.CharField()
    price_plan = TextOrNull(help_text="Of accounts that pay for subscribers of this plan.")
    account_id = serializers.IntegerField(allow_null=True, help_text="Of this account alone.")
    action = serializers.ChoiceField(
        TRIGGER_ACTION, help_text="`reauthorise` (RAR) and `bar` (ASR) reach open sessions."
    )
    notify = serializers.BooleanField(help_text="Whether it leaves a notification.")
    balance_kind = serializers.ChoiceField(
        BALANCE_KIND, help_text="What the balance holds, or what of the usage counts."
    )
    threshold_units = serializers.IntegerField(help_text="If something else than money is watched.")
    destinations = serializers.CharField(help_text="Ids, split by `;`; empty = all.")
    categories = serializers.CharField(help_text="Split by `;`; empty = all.")
    recurrent = serializers.BooleanField(help_text="Fires each time; else once, until it is reset.")
    min_sleep_s = serializers.IntegerField()
    monthly = serializers.BooleanField(help_text="Counters begin at zero each month.")
    active_from = InstantField(allow_null=True)
    expires_at = InstantField(allow_null=True)
    trigger_set = TextOrNull(help_text="Of accounts that have this set of triggers.")
    actions = serializers.CharField(help_text="A group of actions that is carried out as well; empty = none.")


class FiringShape(Shape):
    """A trigger that fired, as it was then."""

    id = serializers.IntegerField()
    at = InstantField(help_text="When the movement that did it took effect.")
    trigger_id = serializers.IntegerField()
    trigger = serializers.CharField()
    account_id = serializers.IntegerField()
    account_number = serializers.CharField()
    kind = serializers.ChoiceField(TRIGGER_KIND)
    action = serializers.ChoiceField(TRIGGER_ACTION)
    threshold = MoneyField(source="threshold_micros")
    threshold_micros = serializers.IntegerField()
    value = MoneyField(source="value_micros", help_text="The balance after it, or the sum spent.")
    value_micros = serializers.IntegerField()
    balance_kind = serializers.ChoiceField(BALANCE_KIND)
    threshold_units = serializers.IntegerField()
    value_units = serializers.IntegerField()
    actions = serializers.CharField()
    currency = serializers.CharField()
    cause = serializers.CharField(help_text="Of the ledger entry that did it.")
    text = serializers.CharField()

    class Meta:
        ref_name = "TriggerFiring"


class ResetShape(Shape):
    accounts = serializers.IntegerField(help_text="For how many accounts it had remembered something.")

    class Meta:
        ref_name = "TriggerReset"


class TriggerQuery(PageQuery):
    account_id = serializers.IntegerField(min_value=1, required=False)
    trigger_set = serializers.CharField(max_length=64, required=False)
    enabled = serializers.BooleanField(required=False, allow_null=True, default=None)


class FiringQuery(PageQuery):
    trigger_id = serializers.IntegerField(min_value=1, required=False)
    account_id = serializers.IntegerField(min_value=1, required=False)


class NewTriggerBody(RequestBody):
    """For all accounts in the currency, those on a price plan or with a set of triggers, or one account."""

    money = ("threshold",)

    name = StrictText(max_length=64, help_text="Unique within the tenant; stands in notifications.")
    kind = serializers.ChoiceField(TRIGGER_KIND)
    threshold = AmountField(required=False, help_text="Or give `threshold_micros`.")
    threshold_micros = StrictInteger(required=False, min_value=-(10**15), max_value=10**15)
    window_s = serializers.ChoiceField(WINDOWS_S, required=False, help_text="Needed for `spent`.")
    currency = serializers.RegexField(
        r"^[A-Z]{3}$", required=False, help_text="Left out: the account's or the tenant's."
    )
    balance_tag = StrictText(max_length=64, required=False)
    balance_kind = serializers.ChoiceField(BALANCE_KIND, required=False)
    threshold_units = StrictInteger(required=False, min_value=-(10**15), max_value=10**15)
    destinations = StrictText(max_length=500, required=False)
    categories = StrictText(max_length=200, required=False)
    recurrent = StrictBoolean(required=False)
    min_sleep_s = StrictInteger(required=False, min_value=0, max_value=10**9)
    monthly = StrictBoolean(required=False)
    active_from = InstantField(required=False)
    expires_at = InstantField(required=False)
    actions = StrictText(max_length=64, required=False)
    price_plan = StrictText(max_length=64, required=False, help_text="A plan's code.")
    account_id = StrictInteger(min_value=1, required=False)
    trigger_set = StrictText(max_length=64, required=False, help_text="Made if it is not there.")
    action = serializers.ChoiceField(TRIGGER_ACTION, required=False)
    notify = StrictBoolean(required=False)
    enabled = StrictBoolean(required=False)


class TriggerChangeBody(RequestBody):
    """Fields that are left out stay as they are."""

    money = ("threshold",)

    name = StrictText(max_length=64, required=False)
    enabled = StrictBoolean(required=False)
    threshold = AmountField(required=False, help_text="Or give `threshold_micros`.")
    threshold_micros = StrictInteger(required=False, min_value=-(10**15), max_value=10**15)
    window_s = serializers.ChoiceField(WINDOWS_S, required=False)
    balance_tag = StrictText(max_length=64, required=False)
    threshold_units = StrictInteger(required=False, min_value=-(10**15), max_value=10**15)
    destinations = StrictText(max_length=500, required=False)
    categories = StrictText(max_length=200, required=False)
    recurrent = StrictBoolean(required=False)
    min_sleep_s = StrictInteger(required=False, min_value=0, max_value=10**9)
    monthly = StrictBoolean(required=False)
    action = serializers.ChoiceField(TRIGGER_ACTION, required=False)
    actions = StrictText(max_length=64, required=False)
    notify = StrictBoolean(required=False)


class ResetBody(RequestBody):
    account_id = StrictInteger(min_value=1, required=False, help_text="Left out: for all accounts.")

    class Meta:
        ref_name = "ResetTrigger"


class SpendingCapShape(Shape):
    """What an account may use in a calendar month: a warning at 80 per cent, and nothing more from 100 on."""

    account_id = serializers.IntegerField()
    currency = serializers.CharField()
    limit = MoneyField(source="limit_micros")
    limit_micros = serializers.IntegerField()
    spent = MoneyField(source="spent_micros", help_text="This month, since the cap was set.")
    spent_micros = serializers.IntegerField()
    is_warned = serializers.BooleanField(help_text="80 per cent of it are used.")
    is_barred = serializers.BooleanField(
        help_text="It was reached, and nothing is granted until the month is over."
    )


class SpendingCapBody(RequestBody):
    limit = AmountField(source="limit_micros", help_text="Such as `49.90`, in the account's currency.")


class SharedLimitShape(Shape):
    """What a member of a shared group may use of the other members' balances in a calendar month."""

    group = serializers.CharField()
    account_id = serializers.IntegerField(help_text="0: each member that has no limit of its own.")
    kind = serializers.ChoiceField(BALANCE_KIND)
    limit = serializers.IntegerField(help_text="Micro-units for `monetary`, else units.")
    used = serializers.IntegerField(help_text="This month, without what sessions hold.")


class SharedLimitBody(RequestBody):
    limit = StrictInteger(min_value=0, max_value=10**15, help_text="Micro-units for `monetary`, else units.")
