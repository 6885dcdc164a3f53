"""Django itself: applications, middleware, templates, time, security."""

import contextlib
import os
import secrets

from bss_project.settings import environment as env
from bss_project.settings.files import INVOICE_TEMPLATES_DIR, VAR_DIR

BASE_DIR = env.BASE_DIR

DEBUG = env.boolean("BSS_DEBUG")
ALLOWED_HOSTS = env.words("BSS_ALLOWED_HOSTS", "localhost,127.0.0.1,[::1]")
CSRF_TRUSTED_ORIGINS = env.words("BSS_CSRF_TRUSTED_ORIGINS")


def _own_secret_key() -> str:
    """A key made at the first start and kept (mode 600) beside the data, so that no default is shared."""
    path = VAR_DIR / "secret_key"
    try:
        return path.read_text().strip()
    except FileNotFoundError:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f"secret_key.{os.getpid()}")
        with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT, 0o600), "w") as file:
            file.write(secrets.token_urlsafe(50))
        # Another process may have been first; then its key is the one.
        with contextlib.suppress(FileExistsError):
            os.link(temporary, path)
        temporary.unlink()
        return path.read_text().strip()


SECRET_KEY = env.text("BSS_SECRET_KEY") or _own_secret_key()

INSTALLED_APPS = [
    "unfold",
    "unfold.contrib.filters",
    "unfold.contrib.simple_history",
    "bss_project.apps.AdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "simple_history",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "apps.storage",
    "apps.events",
    "apps.rating",
    "apps.subscribers",
    "apps.charging",
    "apps.vouchers",
    "apps.actions",
    "apps.mediation",
    "apps.insight",
    "apps.billing",
    "apps.rerating",
    "apps.invoicing",
    "apps.diameter",
    "apps.crm",
    "apps.crmapi",
    "bss_project.apps.ProjectConfig",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "simple_history.middleware.HistoryRequestMiddleware",
    "bss_project.time_zone.OperatorTimeZone",
]

ROOT_URLCONF = "bss_project.urls"
WSGI_APPLICATION = "bss_project.wsgi.application"
ASGI_APPLICATION = "bss_project.asgi.application"
# The admin's pages are served by whitenoise straight from the packages, so that no collectstatic is needed.
WHITENOISE_USE_FINDERS = True

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [*([INVOICE_TEMPLATES_DIR] if INVOICE_TEMPLATES_DIR else []), BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]

LANGUAGE_CODE = "en"
USE_I18N = True
USE_TZ = True
# Instants are stored and computed in UTC; each tenant's own zone decides its days, months and tariff bands.
TIME_ZONE = "UTC"

DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

SECURE_CONTENT_TYPE_NOSNIFF = True
X_FRAME_OPTIONS = "SAMEORIGIN"
SESSION_COOKIE_HTTPONLY = True
# Set behind a proxy that speaks HTTPS.
SECURE_COOKIES = env.boolean("BSS_SECURE_COOKIES")
SESSION_COOKIE_SECURE = SECURE_COOKIES
CSRF_COOKIE_SECURE = SECURE_COOKIES
if SECURE_COOKIES:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
