"""Codes and decimals of currencies (ISO 4217). The house uses letters, wires often numbers (Diameter, the CRM)."""

from __future__ import annotations

from apps.kernel.money import MICROS_PER_UNIT, format_micros
from apps.kernel.rounding import RoundingMethod, round_ratio

_TABLE = """
AED784 AFN971 ALL008 AMD051 AOA973 ARS032 AUD036 AWG533 AZN944 BAM977 BBD052 BDT050 BGN975 BHD048 BIF108 BMD060
BND096 BOB068 BRL986 BSD044 BTN064 BWP072 BYN933 BZD084 CAD124 CDF976 CHF756 CLP152 CNY156 COP170 CRC188 CUP192
CVE132 CZK203 DJF262 DKK208 DOP214 DZD012 EGP818 ERN232 ETB230 EUR978 FJD242 FKP238 GBP826 GEL981 GHS936 GIP292
GMD270 GNF324 GTQ320 GYD328 HKD344 HNL340 HTG332 HUF348 IDR360 ILS376 INR356 IQD368 IRR364 ISK352 JMD388 JOD400
JPY392 KES404 KGS417 KHR116 KMF174 KPW408 KRW410 KWD414 KYD136 KZT398 LAK418 LBP422 LKR144 LRD430 LSL426 LYD434
MAD504 MDL498 MGA969 MKD807 MMK104 MNT496 MOP446 MRU929 MUR480 MVR462 MWK454 MXN484 MYR458 MZN943 NAD516 NGN566
NIO558 NOK578 NPR524 NZD554 OMR512 PAB590 PEN604 PGK598 PHP608 PKR586 PLN985 PYG600 QAR634 RON946 RSD941 RUB643
RWF646 SAR682 SBD090 SCR690 SDG938 SEK752 SGD702 SHP654 SLE925 SOS706 SRD968 SSP728 STN930 SVC222 SYP760 SZL748
THB764 TJS972 TMT934 TND788 TOP776 TRY949 TTD780 TWD901 TZS834 UAH980 UGX800 USD840 UYU858 UZS860 VES928 VND704
VUV548 WST882 XAF950 XCD951 XOF952 XPF953 YER886 ZAR710 ZMW967
"""
NUMBER_OF: dict[str, int] = {entry[:3]: int(entry[3:]) for entry in _TABLE.split()}
LETTERS_OF: dict[int, str] = {number: letters for letters, number in NUMBER_OF.items()}

# ISO 4217, list one: currencies whose minor unit is not a hundredth.
_DECIMALS = {
    **dict.fromkeys("BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF".split(), 0),
    **dict.fromkeys("BHD IQD JOD KWD LYD OMR TND".split(), 3),
    **dict.fromkeys("CLF UYW".split(), 4),
}


def decimals_of(currency: str) -> int:
    """Decimals of the currency's minor unit (ISO 4217): 2 for EUR, 0 for JPY, 3 for KWD."""
    return _DECIMALS.get(currency, 2)


def minor_unit_micros(currency: str) -> int:
    """Micro-units in the smallest payable amount: 10,000 for EUR, 1,000,000 for JPY, 1,000 for KWD."""
    return int(MICROS_PER_UNIT // 10 ** decimals_of(currency))


def to_unit(amount_micros: int, unit_micros: int) -> int:
    """The multiple of ``unit_micros`` that is nearest to the amount, halves away from zero."""
    return round_ratio(amount_micros, unit_micros, RoundingMethod.MIDDLE) * unit_micros


def payable_micros(amount_micros: int, currency: str) -> int:
    """The amount in the currency's decimals (EN 16931, BR-DEC): to the nearest, halves away from zero."""
    return to_unit(amount_micros, minor_unit_micros(currency))


def format_money(micros: int, currency: str) -> str:
    """Plain text with the currency's decimals and code, ``2.39 EUR``; more decimals only if the amount has them."""
    return f"{format_micros(micros, decimals_of(currency))} {currency}"
