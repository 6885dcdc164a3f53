"""The words on bills, a module a language. A new one has the keys of English and a line in ``LANGUAGES``.

A language without a module, and a key that a module lacks, fall back to English.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from apps.invoicing.domain.labels import de, en, fr

FALLBACK = "en"
LANGUAGES: Mapping[str, Mapping[str, str]] = {"en": en.LABELS, "de": de.LABELS, "fr": fr.LABELS}
SHIPPED_SERVICES: Mapping[str, Mapping[str, str]] = {"en": {}, "de": de.SERVICES, "fr": fr.SERVICES}

_MERGED = {code: MappingProxyType({**en.LABELS, **labels}) for code, labels in LANGUAGES.items()}


def language_of(locale_language: str) -> str:
    """The language that a bill is written in: the locale's, or English if there are no words for it."""
    return locale_language if locale_language in LANGUAGES else FALLBACK


def labels_for(language: str) -> Mapping[str, str]:
    """Every word of the templates in that language."""
    return _MERGED[language_of(language)]


def service_name(name: str, language: str) -> str:
    """A service's name: translated if it is one that the product ships with, else as the operator has called it."""
    return SHIPPED_SERVICES[language_of(language)].get(name, name)
