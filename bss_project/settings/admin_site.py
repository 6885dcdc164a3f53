"""The admin's look: name, navigation and dashboard (django-unfold)."""

from django.templatetags.static import static

from bss_project.settings import environment as env

LOGIN_URL = "admin:login"
LOGIN_REDIRECT_URL = "admin:index"
# Days and times of the admin are written the ISO way.
FORMAT_MODULE_PATH = ["bss_project.formats"]
# Going back to an old state by hand would bypass the services; history is there to be read.
SIMPLE_HISTORY_REVERT_DISABLED = True

# A word beside the title that tells a production system from a test one, such as BSS_ENVIRONMENT=Production.
ENVIRONMENT_NAME = env.text("BSS_ENVIRONMENT", "Embedded" if not env.text("DATABASE_URL") else "")
_COLOURS = {
    "production": "danger",
    "staging": "warning",
    "test": "warning",
    "development": "info",
    "embedded": "info",
}


def environment_label(_request: object) -> list[str] | None:
    """The environment's name and its colour; nothing if it has no name."""
    return [ENVIRONMENT_NAME, _COLOURS.get(ENVIRONMENT_NAME.lower(), "info")] if ENVIRONMENT_NAME else None


UNFOLD = {
    "SITE_TITLE": "BSS",
    "SITE_HEADER": "BSS",
    "SITE_SUBHEADER": "Charging and billing",
    "SITE_SYMBOL": "cell_tower",
    "SITE_FAVICONS": [
        {"rel": "icon", "type": "image/svg+xml", "href": lambda _request: static("bss/favicon.svg")},
    ],
    "SITE_URL": None,
    "SHOW_HISTORY": True,
    "SHOW_VIEW_ON_SITE": False,
    "SHOW_BACK_BUTTON": False,
    "ENVIRONMENT": "bss_project.settings.admin_site.environment_label",
    "DASHBOARD_CALLBACK": "bss_project.dashboard.dashboard_context",
    "STYLES": [lambda _request: static("bss/admin.css")],
    "COLORS": {
        "primary": {
            "50": "oklch(97% .014 254.604)",
            "100": "oklch(93.2% .032 255.585)",
            "200": "oklch(88.2% .059 254.128)",
            "300": "oklch(80.9% .105 251.813)",
            "400": "oklch(70.7% .165 254.624)",
            "500": "oklch(62.3% .214 259.815)",
            "600": "oklch(54.6% .245 262.881)",
            "700": "oklch(48.8% .243 264.376)",
            "800": "oklch(42.4% .199 265.638)",
            "900": "oklch(37.9% .146 265.522)",
            "950": "oklch(28.2% .091 267.935)",
        },
    },
    "SIDEBAR": {
        "show_search": True,
        "show_all_applications": False,
        "navigation": "bss_project.navigation.navigation",
    },
}
