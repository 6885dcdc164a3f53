"""Fields of requests and answers: money, instants, whole numbers; and serializers that refuse what they do not know."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from apps.crmapi.rest.pagination import MOST_A_PAGE, USUAL_PAGE
from apps.kernel.errors import InvalidInput
from apps.kernel.money import format_micros, parse_micros

# What a BIGINT of either database holds; JSON's numbers are exact up to 2^53 in most clients only.
MOST_MICROS = 9_000_000_000_000_000
DECIMAL_PATTERN = r"^-?[0-9]{1,10}(\.[0-9]{1,6})?$"


@extend_schema_field({"type": "string", "pattern": r"^-?[0-9]+(\.[0-9]{1,6})?$", "example": "12.5"})
class MoneyField(serializers.Field[int, Any, str, int]):
    """An amount as plain decimal text in an answer; its source is a number of micro-units."""

    def __init__(self, **options: Any) -> None:
        super().__init__(read_only=True, **options)

    def to_representation(self, value: int) -> str:
        return format_micros(value)


@extend_schema_field({"type": "string", "pattern": DECIMAL_PATTERN, "example": "12.5"})
class AmountField(serializers.Field[int, Any, str, int]):
    """An amount as plain decimal text in a request; becomes micro-units."""

    default_error_messages = {
        "invalid": "must be text such as “12.5”, not a number: JSON's numbers may be rounded on their way",
        "too_large": "is too large",
    }

    def to_internal_value(self, value: Any) -> int:
        if not isinstance(value, str):
            self.fail("invalid")
        if len(value) > 24:
            self.fail("too_large")
        try:
            micros = parse_micros(value)
        except InvalidInput as error:
            raise serializers.ValidationError(error.message) from error
        if abs(micros) > MOST_MICROS:
            self.fail("too_large")
        return micros

    def to_representation(self, value: int) -> str:
        return format_micros(value)


@extend_schema_field({"type": "string", "format": "date-time", "example": "2026-01-31T23:59:59Z"})
class InstantField(serializers.Field[datetime, Any, str, datetime]):
    """An instant: ISO 8601; answers are in UTC, requests need a zone or “Z”."""

    default_error_messages = {"invalid": "must be an instant with a zone, such as 2026-01-31T23:59:59Z"}

    def to_internal_value(self, value: Any) -> datetime:
        try:
            moment = datetime.fromisoformat(value) if isinstance(value, str) and len(value) <= 40 else None
            if moment is None or moment.tzinfo is None:
                self.fail("invalid")
            moment = moment.astimezone(UTC)
        except (ValueError, OverflowError):
            self.fail("invalid")
        if not 1970 <= moment.year < 9000:
            raise serializers.ValidationError("must be between the years 1970 and 9000")
        return moment

    def to_representation(self, value: datetime) -> str:
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")


class StrictInteger(serializers.IntegerField):
    """A whole number that is a number: neither “1” nor 1.0 nor true."""

    def __init__(self, **options: Any) -> None:
        options.setdefault("min_value", 0)
        options.setdefault("max_value", 9_007_199_254_740_991)
        super().__init__(**options)

    def to_internal_value(self, data: Any) -> int:
        if type(data) is not int:
            self.fail("invalid")
        return data


class StrictText(serializers.CharField):
    """Text that is text: numbers are not made into it."""

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        return super().to_internal_value(data)


class StrictBoolean(serializers.BooleanField):
    """True or false; not “yes”, 1 or “true”."""

    def to_internal_value(self, data: Any) -> bool:
        if not isinstance(data, bool):
            self.fail("invalid", input=data)
        return data


@extend_schema_field({"type": ["integer", "null"]})
class NumberOrNull(serializers.Field[int, Any, int | None, int]):
    """A number in an answer, null if the value is 0 for “none”."""

    def __init__(self, **options: Any) -> None:
        super().__init__(read_only=True, **options)

    def to_representation(self, value: int) -> int | None:
        return value or None


@extend_schema_field({"type": ["string", "null"]})
class TextOrNull(serializers.Field[str, Any, str | None, str]):
    """A text in an answer, null if empty."""

    def __init__(self, **options: Any) -> None:
        super().__init__(read_only=True, **options)

    def to_representation(self, value: str) -> str | None:
        return value or None


class Shape(serializers.Serializer[Any]):
    """What an answer or a part of a request looks like."""

    def __init_subclass__(cls, **options: Any) -> None:
        """OpenAPI names it as the class, without Shape or Body, unless its own ``Meta`` says otherwise."""
        super().__init_subclass__(**options)
        if "Meta" not in vars(cls):
            name = cls.__name__.removesuffix("Shape").removesuffix("Body")
            setattr(cls, "Meta", type("Meta", (), {"ref_name": name}))  # noqa: B010 - read by drf-spectacular


class RequestBody(Shape):
    """A JSON object in which every name is known: a misspelt one is an error rather than left out.

    ``money`` names amounts that may be given as text or, under the name with ``_micros``, as whole micro-units; what is
    read is always the latter. ``money_needed`` names those of which one has to be given.
    """

    money: tuple[str, ...] = ()
    money_needed: tuple[str, ...] = ()

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        values = dict(attrs)
        for name in self.money:
            micros = f"{name}_micros"
            given = values.pop(name, None)
            if given is not None and values.setdefault(micros, given) != given:
                raise serializers.ValidationError({name: f"{name} and {micros} are different amounts"})
            if micros not in values and name in self.money_needed:
                error = serializers.ErrorDetail(f"give {name} or {micros}", code="required")
                raise serializers.ValidationError({name: [error]})
        return values

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, dict):
            _refuse_unknown(data, self.fields)
        return super().to_internal_value(data)


class Query(Shape):
    """Parameters of a request's address; a misspelt one is an error rather than left out."""

    def to_internal_value(self, data: Any) -> Any:
        _refuse_unknown(data, self.fields)
        for name in data:
            if len(data.getlist(name)) > 1:
                raise serializers.ValidationError({name: "may be given once"})
        return super().to_internal_value(dict(data.items()))


class PageQuery(Query):
    """What every list takes."""

    limit = serializers.IntegerField(
        min_value=1, max_value=MOST_A_PAGE, default=USUAL_PAGE, help_text="Items a page."
    )
    cursor = serializers.CharField(
        max_length=500, default="", help_text="`next_cursor` of the page before; left out: the first page."
    )


def _refuse_unknown(data: Any, fields: Any) -> None:
    unknown = sorted(str(name) for name in data if name not in fields)
    if unknown:
        known = ", ".join(fields)
        raise serializers.ValidationError(
            {
                name: [serializers.ErrorDetail(f"is not known here; known are {known}", code="unknown")]
                for name in unknown
            }
        )
