"""The admin's look: name, navigation and dashboard (django-unfold)."""

UNFOLD = {
    "SITE_TITLE": "BSS",
    "SITE_HEADER": "BSS",
}
