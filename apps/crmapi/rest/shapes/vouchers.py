"""Vouchers in JSON. A PIN is in the answer that generates it, once, and in requests that redeem it."""

from __future__ import annotations

from typing import Any

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
from apps.crmapi.rest.shapes.choices import BALANCE_KIND, VOUCHER_STATUS
from apps.crmapi.rest.shapes.subscribers import MSISDN

MOST_IN_ONE_ANSWER = 10_000


class BatchShape(Shape):
    """Vouchers that were generated together. `amount` is for money, `units` for the other kinds."""

    id = serializers.IntegerField()
    name = serializers.CharField()
    kind = serializers.ChoiceField(BALANCE_KIND)
    amount = MoneyField(source="amount_micros")
    amount_micros = serializers.IntegerField()
    units = serializers.IntegerField(help_text="Seconds, octets, messages or events.")
    currency = serializers.CharField()
    balance_tag = serializers.CharField(help_text="The balance that is credited.")
    balance_days = serializers.IntegerField(allow_null=True, help_text="How long the credit is valid.")
    bundle = serializers.CharField(help_text="Code of the bundle that is given.")
    bundle_days = serializers.IntegerField(allow_null=True)
    count = serializers.IntegerField()
    valid_from = InstantField()
    expires_at = InstantField()
    created_at = InstantField()
    created_by = serializers.CharField()

    class Meta:
        ref_name = "VoucherBatch"


class PrintedVoucherShape(Shape):
    serial = serializers.CharField()
    pin = TextOrNull(help_text="Shown this once.")


class GeneratedBatchShape(Shape):
    """A batch and its PINs, which cannot be had again; null if the request is repeated."""

    batch = BatchShape()
    vouchers = PrintedVoucherShape(many=True)


class VoucherShape(Shape):
    id = serializers.IntegerField()
    serial = serializers.CharField()
    batch_id = serializers.IntegerField()
    status = serializers.ChoiceField(VOUCHER_STATUS)
    kind = serializers.ChoiceField(BALANCE_KIND)
    amount = MoneyField(source="amount_micros")
    amount_micros = serializers.IntegerField()
    units = serializers.IntegerField()
    currency = serializers.CharField()
    valid_from = InstantField()
    expires_at = InstantField()
    account_id = serializers.IntegerField(allow_null=True, help_text="Who redeemed it.")
    msisdn = serializers.CharField()
    redeemed_at = InstantField(allow_null=True)
    changed_at = InstantField()
    changed_by = serializers.CharField()
    reason = serializers.CharField()


class ChangedShape(Shape):
    changed = serializers.IntegerField(help_text="How many vouchers were changed.")

    class Meta:
        ref_name = "ChangedVouchers"


class RedemptionLockShape(Shape):
    """Wrong PINs of an account: after some it has to wait, after more it is locked until staff lift the lock."""

    account_id = serializers.IntegerField()
    locked = serializers.BooleanField()
    failures = serializers.IntegerField(help_text="Wrong PINs that count still.")
    failed_at = InstantField(allow_null=True, help_text="The last wrong PIN.")
    locked_at = InstantField(allow_null=True)
    lifted_at = InstantField(allow_null=True)
    lifted_by = serializers.CharField()
    lift_reason = serializers.CharField()


class RedemptionShape(Shape):
    """What a redemption gave, and what the account's money could buy right afterwards."""

    serial = serializers.CharField()
    account_id = serializers.IntegerField()
    kind = serializers.ChoiceField(BALANCE_KIND)
    amount = serializers.SerializerMethodField(help_text="Of money; null for other kinds.")
    amount_micros = serializers.SerializerMethodField()
    units = serializers.SerializerMethodField(help_text="Of other kinds; null for money.")
    currency = serializers.CharField()
    balance_tag = serializers.CharField(source="tag")
    bundle = serializers.CharField()
    balance = MoneyField(source="balance_micros")
    balance_micros = serializers.IntegerField()
    redeemed_at = InstantField()

    def get_amount(self, found: Any) -> str | None:
        return MoneyField().to_representation(found.value) if found.kind == "monetary" else None

    def get_amount_micros(self, found: Any) -> int | None:
        return found.value if found.kind == "monetary" else None

    def get_units(self, found: Any) -> int | None:
        return None if found.kind == "monetary" else found.value


class VoucherQuery(PageQuery):
    batch_id = serializers.IntegerField(min_value=1, required=False)
    status = serializers.ChoiceField(VOUCHER_STATUS, required=False)
    serial = serializers.CharField(max_length=20, required=False, help_text="How the serial number begins.")
    account_id = serializers.IntegerField(min_value=1, required=False)
    msisdn = serializers.RegexField(MSISDN, required=False)


class NewBatchBody(RequestBody):
    """What to generate. Money needs `amount` (or `amount_micros`), other kinds `units`; a bundle may stand alone."""

    money = ("amount",)

    name = StrictText(max_length=120)
    count = StrictInteger(min_value=1, max_value=MOST_IN_ONE_ANSWER)
    kind = serializers.ChoiceField(BALANCE_KIND, default="monetary")
    amount = AmountField(required=False)
    amount_micros = StrictInteger(required=False, min_value=1, max_value=10**15)
    units = StrictInteger(required=False, min_value=1, max_value=10**15)
    expires_at = InstantField()
    valid_from = InstantField(required=False)
    currency = serializers.RegexField(r"^[A-Z]{3}$", required=False)
    balance_tag = StrictText(max_length=64, required=False)
    balance_days = StrictInteger(min_value=1, max_value=3660, required=False)
    bundle = StrictText(max_length=64, required=False)
    bundle_days = StrictInteger(min_value=1, max_value=3660, required=False)
    book = serializers.ChoiceField(["cash", "promotion"], default="cash")
    active = StrictBoolean(default=True, help_text="False: unusable until their batch is activated.")

    class Meta:
        ref_name = "NewVoucherBatch"

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        values = super().validate(attrs)
        wrong = "units" if values["kind"] == "monetary" else "amount_micros"
        if wrong in values:
            raise serializers.ValidationError(
                {wrong.removesuffix("_micros"): f"does not go with {values['kind']}"}
            )
        return values


class ReasonBody(RequestBody):
    reason = StrictText(max_length=200, required=False, allow_blank=True)


class ExtendBody(ReasonBody):
    expires_at = InstantField(help_text="The new end.")


class OwnRedeemBody(RequestBody):
    pin = StrictText(
        max_length=64, help_text="16 digits; blanks, dots and dashes between them do not matter."
    )


class RedeemBody(OwnRedeemBody):
    """The account by its id, or by a number that it pays for."""

    account_id = StrictInteger(min_value=1, required=False)
    msisdn = serializers.RegexField(MSISDN, required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if ("account_id" in attrs) == ("msisdn" in attrs):
            raise serializers.ValidationError("give account_id or msisdn")
        return attrs
