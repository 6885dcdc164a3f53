"""Accounts in JSON: who pays, what they hold, how it came to that."""

from __future__ import annotations

from rest_framework import serializers

from apps.crmapi.rest.fields import (
    AmountField,
    InstantField,
    MoneyField,
    NumberOrNull,
    PageQuery,
    RequestBody,
    Shape,
    StrictBoolean,
    StrictInteger,
    StrictText,
)
from apps.crmapi.rest.shapes.choices import ACCOUNT_MODE, BALANCE_KIND, LEDGER_BOOK, LEDGER_KIND


class BalanceShape(Shape):
    """Money (`amount`) or, for the other kinds, `units`: seconds, octets, messages or events."""

    id = serializers.IntegerField()
    tag = serializers.CharField(help_text="`*default` is the one that top-ups go to.")
    kind = serializers.ChoiceField(BALANCE_KIND)
    amount = MoneyField(source="amount_micros")
    amount_micros = serializers.IntegerField()
    units = serializers.IntegerField()
    reserved = MoneyField(source="reserved_micros", help_text="Held for sessions that are going on.")
    reserved_micros = serializers.IntegerField()
    reserved_units = serializers.IntegerField()
    active_from = InstantField(allow_null=True)
    expires_at = InstantField(allow_null=True)
    disabled = serializers.BooleanField()
    weight = serializers.IntegerField(help_text="The highest is used first.")


class BalanceOfAccountShape(BalanceShape):
    account_id = serializers.IntegerField()


class AccountShape(Shape):
    id = serializers.IntegerField()
    number = serializers.CharField()
    mode = serializers.ChoiceField(ACCOUNT_MODE)
    currency = serializers.CharField()
    customer_number = serializers.CharField()
    customer_name = serializers.CharField()
    opened_at = InstantField()
    closed_at = InstantField(allow_null=True)
    cycle = NumberOrNull(help_text="The bill cycle's number.")
    next_cycle = NumberOrNull()
    billed_until = InstantField(allow_null=True)
    unpaid = MoneyField(source="unpaid_micros", help_text="The unpaid rest of its bills.")
    unpaid_micros = serializers.IntegerField()
    subscriber_ids = serializers.ListField(child=serializers.IntegerField())
    balances = BalanceShape(many=True)


class LedgerEntryShape(Shape):
    """One movement of a balance; its amount is added to the balance and taken from the operator's book."""

    id = serializers.IntegerField()
    at = InstantField(help_text="When it took effect.")
    balance_tag = serializers.CharField()
    kind = serializers.ChoiceField(LEDGER_KIND)
    book = serializers.ChoiceField(LEDGER_BOOK)
    amount = MoneyField(source="amount_micros")
    amount_micros = serializers.IntegerField()
    units = serializers.IntegerField()
    cause = serializers.CharField()
    note = serializers.CharField()


class MovedShape(Shape):
    """What a top-up did; the balance is as it is now."""

    account_id = serializers.IntegerField()
    currency = serializers.CharField()
    amount = MoneyField(source="amount_micros")
    amount_micros = serializers.IntegerField()
    balance = MoneyField(source="balance_micros")
    balance_micros = serializers.IntegerField()


class AccountQuery(PageQuery):
    number = serializers.CharField(max_length=40, required=False)
    mode = serializers.ChoiceField(ACCOUNT_MODE, required=False)
    customer_number = serializers.CharField(max_length=40, required=False)


class LedgerQuery(PageQuery):
    start = InstantField(required=False, help_text="Movements that took effect at or after it.")
    end = InstantField(required=False, help_text="… and before it.")
    tag = serializers.CharField(max_length=64, required=False, help_text="Of this balance alone.")


class AdjustmentBody(RequestBody):
    """A correction up or, negative, down; `note` says why and stays in the ledger."""

    money = ("amount",)
    money_needed = ("amount",)

    amount = AmountField(required=False, help_text="Or give `amount_micros`.")
    amount_micros = StrictInteger(required=False, min_value=-(10**15), max_value=10**15)
    note = StrictText(max_length=200)
    may_overdraw = StrictBoolean(default=False, help_text="Whether it may end below zero.")


class TopUpBody(RequestBody):
    money = ("amount",)
    money_needed = ("amount",)

    amount = AmountField(required=False, help_text="Or give `amount_micros`.")
    amount_micros = StrictInteger(required=False, min_value=1, max_value=10**15)
    note = StrictText(max_length=200, required=False, allow_blank=True, help_text="Printed on statements.")
