"""The database: DATABASE_URL, ``sqlite:///PATH`` (default) or ``mysql://user:password@host:port/name``."""

from urllib.parse import unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured

from bss_project.settings import environment as env
from bss_project.settings.files import VAR_DIR


def database_from_url(url: str) -> dict[str, object]:
    """Django's DATABASES entry for a URL; raises ImproperlyConfigured with its fault."""
    parts = urlsplit(url)
    if parts.scheme == "sqlite":
        path = unquote(parts.path[1:]) if parts.path else ""
        if not path:
            raise ImproperlyConfigured(
                "DATABASE_URL needs a path: sqlite:///relative.db or sqlite:////abs.db"
            )
        return {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": str(env.BASE_DIR / path),
            "OPTIONS": {
                # Writers queue for the one write lock rather than fail when a read turns into a write.
                "transaction_mode": "IMMEDIATE",
                "timeout": 60,
                "init_command": (
                    "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA cache_size=-65536; "
                    "PRAGMA temp_store=MEMORY; PRAGMA mmap_size=268435456"
                ),
            },
        }
    if parts.scheme in ("mysql", "mariadb"):
        name = parts.path.lstrip("/")
        if not parts.hostname or not name:
            raise ImproperlyConfigured(
                "DATABASE_URL needs a host and a name: mysql://user:password@host:3306/bss"
            )
        return {
            "ENGINE": "django.db.backends.mysql",
            "NAME": name,
            "HOST": parts.hostname,
            "PORT": str(parts.port or 3306),
            "USER": unquote(parts.username or ""),
            "PASSWORD": unquote(parts.password or ""),
            "CONN_MAX_AGE": 60,
            "CONN_HEALTH_CHECKS": True,
            "OPTIONS": {
                "charset": "utf8mb4",
                "isolation_level": "read committed",
                "local_infile": True,
                "connect_timeout": 10,
                # MySQL cuts what it concatenates after 1,024 octets; a line's plans and bundles may take more.
                "init_command": (
                    "SET SESSION sql_mode = CONCAT(@@sql_mode, ',STRICT_ALL_TABLES'),"
                    " SESSION group_concat_max_len = 1048576"
                ),
            },
            "TEST": {"CHARSET": "utf8mb4", "COLLATION": "utf8mb4_bin"},
        }
    raise ImproperlyConfigured(
        f"DATABASE_URL begins with “{parts.scheme}://”; this product knows sqlite:/// and mysql://"
    )


DATABASES = {"default": database_from_url(env.text("DATABASE_URL", f"sqlite:///{VAR_DIR / 'bss.sqlite3'}"))}
