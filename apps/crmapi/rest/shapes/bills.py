"""Bills, activities and their progress in JSON."""

from __future__ import annotations

from typing import Any

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
from apps.crmapi.rest.shapes.choices import (
    ACTIVITY_STATUS,
    ACTIVITY_STATUSES,
    ACTIVITY_TYPE,
    ACTIVITY_TYPES,
    BILL_KIND,
    BILL_LINE_KIND,
    BILL_STATUS,
    RUN_STATE,
)
from apps.crmapi.rest.shapes.subscribers import MSISDN


class BillLineShape(Shape):
    number = serializers.IntegerField()
    kind = serializers.ChoiceField(BILL_LINE_KIND)
    description = serializers.CharField()
    subscriber_id = NumberOrNull(help_text="Null: of the account as a whole.")
    service = serializers.CharField()
    destination = serializers.CharField()
    records = serializers.IntegerField()
    usage = serializers.IntegerField(help_text="Seconds, octets, messages or events of the service.")
    free_usage = serializers.IntegerField()
    amount = MoneyField(source="amount_micros")
    amount_micros = serializers.IntegerField()


class BillShape(Shape):
    """A bill (`postpaid`), statement (`prepaid`) or credit note (`credit`) for a period that contains its start and not
    its end."""

    id = serializers.IntegerField()
    number = serializers.CharField()
    kind = serializers.ChoiceField(BILL_KIND)
    status = serializers.ChoiceField(BILL_STATUS, help_text="`new`: it has no document yet.")
    account_id = serializers.IntegerField()
    account_number = serializers.CharField()
    cycle = serializers.IntegerField()
    year = serializers.IntegerField(help_text="In which the period begins, in the cycle's time zone.")
    month = serializers.IntegerField()
    period_start = InstantField()
    period_end = InstantField()
    issued_on = serializers.DateField()
    due_on = serializers.DateField(allow_null=True)
    currency = serializers.CharField()
    recurring = MoneyField(source="recurring_micros")
    recurring_micros = serializers.IntegerField()
    usage = MoneyField(source="usage_micros")
    usage_micros = serializers.IntegerField()
    one_off = MoneyField(source="one_off_micros")
    one_off_micros = serializers.IntegerField()
    discount = MoneyField(source="discount_micros", help_text="Negative or zero.")
    discount_micros = serializers.IntegerField()
    tax = MoneyField(source="tax_micros")
    tax_micros = serializers.IntegerField()
    rounding = MoneyField(
        source="rounding_micros", help_text="What rounding the lines came to; contained in the parts above."
    )
    rounding_micros = serializers.IntegerField()
    total = MoneyField(
        source="total_micros", help_text="The sum of the parts above but rounding, and of the lines."
    )
    total_micros = serializers.IntegerField()
    paid = MoneyField(source="paid_micros")
    paid_micros = serializers.IntegerField()
    opening_balance = MoneyField(source="opening_balance_micros", allow_null=True)
    opening_balance_micros = serializers.IntegerField(allow_null=True, help_text="Of statements.")
    closing_balance = MoneyField(source="closing_balance_micros", allow_null=True)
    closing_balance_micros = serializers.IntegerField(allow_null=True)
    has_document = serializers.BooleanField(help_text="Whether its PDF is there.")
    created_at = InstantField()
    corrects_id = NumberOrNull(help_text="Of a credit note: the bill that it cancels.")
    credit_note_id = NumberOrNull(help_text="Of a cancelled bill: the credit note that took it back.")
    reason = serializers.CharField(help_text="Of a credit note: why the bill was cancelled.")


class BillWithLinesShape(BillShape):
    lines = BillLineShape(many=True)


class CancelledBillShape(Shape):
    """A bill that was cancelled, the credit note that took it back, and the bill that was issued instead, if any."""

    bill = BillWithLinesShape()
    credit_note = BillWithLinesShape()
    successor = BillWithLinesShape(allow_null=True)


class _NumberedWord(serializers.ChoiceField):
    """A word for one of the numbers of µBSS."""

    def __init__(self, words: dict[int, str], **options: Any) -> None:
        super().__init__(list(words.values()), **options)
        self.words = words

    def to_representation(self, value: Any) -> str:
        return self.words[value]


class RunProgressShape(Shape):
    """How far a bill run is."""

    run_id = serializers.IntegerField()
    state = serializers.ChoiceField(RUN_STATE)
    chunks = serializers.IntegerField()
    chunks_done = serializers.IntegerField()
    chunks_failed = serializers.IntegerField()
    accounts = serializers.IntegerField()
    accounts_done = serializers.IntegerField()
    bills = serializers.IntegerField()
    total = MoneyField(source="total_micros", help_text="Of the bills so far.")
    total_micros = serializers.IntegerField()


class ActivityShape(Shape):
    """Something that was queued to be done, and what came of it."""

    id = serializers.IntegerField()
    type = _NumberedWord(ACTIVITY_TYPES)
    param = serializers.CharField(help_text="An MSISDN, or a bill cycle's number.")
    month = serializers.CharField(source="param2")
    year = serializers.CharField(source="param3")
    status = _NumberedWord(ACTIVITY_STATUSES)
    error = serializers.CharField()
    result = serializers.CharField(help_text="What came of it, in a sentence.")
    cycle = NumberOrNull()
    queued_by = serializers.CharField()
    queued_at = InstantField()
    started_at = InstantField(allow_null=True)
    finished_at = InstantField(allow_null=True)


class ActivityWithProgressShape(ActivityShape):
    runs = RunProgressShape(many=True, help_text="The bill run that it began, if it is one.")


class BillQuery(PageQuery):
    subscriber_id = serializers.IntegerField(min_value=1, required=False)
    account_id = serializers.IntegerField(min_value=1, required=False)
    status = serializers.ChoiceField(BILL_STATUS, required=False)
    kind = serializers.ChoiceField(BILL_KIND, required=False)


class OwnBillQuery(PageQuery):
    status = serializers.ChoiceField(BILL_STATUS, required=False)


class ReformatBody(RequestBody):
    reason = StrictText(max_length=200, required=False, allow_blank=True)


class CancelBody(RequestBody):
    reason = StrictText(max_length=200, help_text="The credit note keeps it.")
    again = StrictBoolean(
        required=False,
        help_text="Issue it again at once, with today's data; otherwise the next run bills it.",
    )

    class Meta:
        ref_name = "Cancellation"


class PaymentBody(RequestBody):
    money = ("amount",)
    money_needed = ("amount",)

    amount = AmountField(required=False, help_text="Negative: given back. Or give `amount_micros`.")
    amount_micros = StrictInteger(required=False, min_value=-(10**15), max_value=10**15)
    reference = StrictText(max_length=100, help_text="The bank's or desk's own.")
    method = StrictText(max_length=40, required=False, allow_blank=True)
    at = InstantField(required=False, help_text="When it was received; left out: now.")

    class Meta:
        ref_name = "NewPayment"


class ActivityQuery(PageQuery):
    status = serializers.ChoiceField(ACTIVITY_STATUS, required=False)
    type = serializers.ChoiceField(ACTIVITY_TYPE, required=False)


class _PeriodBody(RequestBody):
    month = StrictInteger(min_value=1, max_value=12, required=False)
    year = StrictInteger(min_value=2000, max_value=2999, required=False)


class SingleBillingBody(_PeriodBody):
    """Whose account is billed: who has (or had last) a number, or a subscriber.

    For the last closed period, or the one that begins in `month` of `year`.
    """

    msisdn = serializers.RegexField(MSISDN, required=False)
    subscriber_id = StrictInteger(min_value=1, required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if ("msisdn" in attrs) == ("subscriber_id" in attrs):
            raise serializers.ValidationError("give msisdn or subscriber_id")
        return attrs


class BillRunBody(_PeriodBody):
    """For the last closed period, or the one that begins in `month` of `year`."""

    cycle = StrictInteger(min_value=1, max_value=32_767, help_text="The bill cycle's number.")

    class Meta:
        ref_name = "NewBillRun"


def number_of(words: dict[int, str], word: str) -> int:
    """The number that a word stands for."""
    return next(number for number, found in words.items() if found == word)
