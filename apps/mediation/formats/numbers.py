"""Numbers as the product wants them: digits in international form, without “+”."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator

from apps.kernel.options import Options

_PUNCTUATION = str.maketrans("", "", " -/()\u00a0")
_Digits = Annotated[str, Field(pattern=r"^[0-9]{0,15}$")]


class NumberRules(Options):
    """How a source writes numbers. Without a country code, national numbers stay as they are."""

    international_prefix: _Digits = Field(default="00", description='digits in quotes, such as "00"')
    national_prefix: _Digits = Field(
        default="", description='digits in quotes, such as "0"; needs country_code'
    )
    country_code: _Digits = Field(default="", description='digits in quotes, such as "49"')

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.national_prefix and not self.country_code:
            raise ValueError("country_code is needed with national_prefix")
        return self

    def normalise(self, text: str) -> str:
        """International digits of a number; a text that is no number (an APN, a short code, a name) is only trimmed."""
        text = text.strip()
        bare = text.translate(_PUNCTUATION)
        international = bare[:1] == "+"
        digits = bare[1:] if international else bare
        if not (digits.isascii() and digits.isdigit()):
            return text
        if international:
            return digits
        if self.international_prefix and digits.startswith(self.international_prefix):
            return digits[len(self.international_prefix) :]
        if self.country_code and self.national_prefix and digits.startswith(self.national_prefix):
            return self.country_code + digits[len(self.national_prefix) :]
        return digits
