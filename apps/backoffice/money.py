"""Form fields that people fill in decimals and percent while rows keep micro-units and millionths."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from unfold.widgets import UnfoldAdminTextInputWidget

from apps.kernel.errors import InvalidInput
from apps.kernel.money import format_micros, parse_micros

MICROS_SUFFIX = "_micros"
MILLIONTHS_SUFFIX = "_millionths"
# What a 64-bit column holds.
MAX_MICROS = 2**63 - 1


class DecimalTextWidget(UnfoldAdminTextInputWidget):
    """A narrow text input that brings up the digits on a phone."""

    def __init__(self, attrs: dict[str, Any] | None = None) -> None:
        super().__init__(
            {"inputmode": "decimal", "autocomplete": "off", **(attrs or {}), "class": "max-w-48!"}
        )


class MicrosField(forms.Field):
    """An amount: ``12.5`` on the page, ``12500000`` (micro-units) in ``cleaned_data``."""

    widget = DecimalTextWidget

    def __init__(self, *, min_micros: int | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.min_micros = min_micros
        self.decimals = 2

    def prepare_value(self, value: Any) -> Any:
        return format_micros(value, self.decimals) if isinstance(value, int) else value

    def to_python(self, value: Any) -> int | None:
        if value in self.empty_values:
            return None
        try:
            micros = parse_micros(str(value).replace("\u2212", "-"))
        except InvalidInput as error:
            raise ValidationError(error.message, code="invalid") from error
        if abs(micros) > MAX_MICROS:
            raise ValidationError("This amount is larger than can be kept.", code="invalid")
        if self.min_micros is not None and micros < self.min_micros:
            least = format_micros(self.min_micros, 2)
            raise ValidationError(f"This amount must be {least} or more.", code="min_value")
        return micros

    def has_changed(self, initial: Any, data: Any) -> bool:
        try:
            return bool(initial != self.to_python(data))
        except ValidationError:
            return True


class MillionthsField(MicrosField):
    """A share in percent on the page (``19``), in millionths in ``cleaned_data`` (``190000``)."""

    def prepare_value(self, value: Any) -> Any:
        return format_micros(value * 100) if isinstance(value, int) else value

    def to_python(self, value: Any) -> int | None:
        micros_of_percent = super().to_python(value)
        if micros_of_percent is None:
            return None
        if micros_of_percent % 100:
            raise ValidationError("Give at most four decimals.", code="invalid")
        if not 0 <= micros_of_percent <= 100 * 1_000_000:
            raise ValidationError("Give a share from 0 to 100 percent.", code="invalid")
        return micros_of_percent // 100


def label_of(field_name: str, verbose_name: str) -> str:
    """The label of a column without the unit that its name ends with: “Monthly fee”."""
    for suffix in (MICROS_SUFFIX, MILLIONTHS_SUFFIX):
        if field_name.endswith(suffix) and verbose_name == field_name.replace("_", " "):
            return field_name.removesuffix(suffix).replace("_", " ").capitalize()
    return verbose_name[:1].upper() + verbose_name[1:]
