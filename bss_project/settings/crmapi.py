"""The CRM's doors: tokens for gRPC and REST, and the gRPC server (``manage.py rungrpc``)."""

import contextlib
import os
import secrets

from django.core.exceptions import ImproperlyConfigured

from bss_project.settings import environment as env
from bss_project.settings.broker import BROKER_URL
from bss_project.settings.files import VAR_DIR


def _own_key() -> str:
    """A signing key made at the first start and kept (mode 600) beside the data, so that no default is shared."""
    path = VAR_DIR / "api_key"
    try:
        return path.read_text().strip()
    except FileNotFoundError:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f"api_key.{os.getpid()}")
        with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT, 0o600), "w") as file:
            file.write(secrets.token_urlsafe(48))
        # Another process may have been first; then its key is the one.
        with contextlib.suppress(FileExistsError):
            os.link(temporary, path)
        temporary.unlink()
        return path.read_text().strip()


def _keys(text: str) -> dict[str, str]:
    """``kid:secret`` pairs, split by commas; the first one signs, all are accepted, so that keys can be changed."""
    keys = {}
    for number, pair in enumerate(text.split(","), 1):
        kid, separator, secret = pair.strip().partition(":")
        if not kid or not separator or len(secret.encode()) < 32:
            raise ImproperlyConfigured(
                f"BSS_API_KEYS, pair {number}: give kid:secret with a secret of 32 characters or more"
            )
        keys[kid] = secret
    return keys


# The platform's own keys by kid. Tokens signed with one may name any tenant and role; a client's own key (a row made by
# `manage.py apiclient`) is bound to the client's tenant and roles.
API_KEYS = _keys(env.text("BSS_API_KEYS")) if env.text("BSS_API_KEYS") else {"platform": _own_key()}
API_ISSUER = env.text("BSS_API_ISSUER", "bss")
API_AUDIENCE = env.text("BSS_API_AUDIENCE", "bss-api")
# How far the clocks of signer and server may differ, seconds.
API_TOKEN_LEEWAY_S = env.integer("BSS_API_TOKEN_LEEWAY_S", 30)
# A token that lives longer than this, from now to its expiry, is refused, hours.
API_TOKEN_MAX_LIFETIME_H = env.integer("BSS_API_TOKEN_MAX_LIFETIME_H", 24 * 31)
API_TOKEN_MAX_OCTETS = env.integer("BSS_API_TOKEN_MAX_OCTETS", 4096)
# Verified tokens that a process caches; expiry and revocation are still checked in every call.
API_TOKENS_REMEMBERED = env.integer("BSS_API_TOKENS_REMEMBERED", 10_000)
# Seconds for which a process trusts what it has read of clients, keys and revocations.
API_CLIENTS_REFRESH_S = env.integer("BSS_API_CLIENTS_REFRESH_S", 2)

# The Redis in which all processes count a client's calls together; without one, each process counts by itself.
API_RATES_URL = env.text("BSS_API_RATES_URL", BROKER_URL if BROKER_URL.startswith("redis") else "")
# Calls a second that a client may send, and how many at once, unless the client's row says otherwise.
API_CALLS_A_SECOND = env.integer("BSS_API_CALLS_A_SECOND", 2_000)
API_BURST = env.integer("BSS_API_BURST", 4_000)

# How long answers are kept for repeats of a call with the same idempotency key, and the audit record, hours.
API_ANSWERS_KEPT_H = env.integer("BSS_API_ANSWERS_KEPT_H", 48)
API_AUDIT_KEPT_H = env.integer("BSS_API_AUDIT_KEPT_H", 24 * 400)
# Whether calls that only read are written to the audit record, too.
API_AUDIT_READS = env.boolean("BSS_API_AUDIT_READS")

GRPC_BIND = env.text("BSS_GRPC_BIND", "127.0.0.1")
GRPC_PORT = env.integer("BSS_GRPC_PORT", 50051)
# Processes behind one port (SO_REUSEPORT).
GRPC_PROCESSES = env.integer("BSS_GRPC_PROCESSES", 1)
# Threads of a process that work with the database; each has a connection of its own.
GRPC_THREADS = env.integer("BSS_GRPC_THREADS", 8)
# PEM files. Without them a certificate for development is made at the first start (VAR_DIR/grpc).
GRPC_TLS_CERTIFICATE = env.text("BSS_GRPC_TLS_CERTIFICATE")
GRPC_TLS_KEY = env.text("BSS_GRPC_TLS_KEY")
# With a CA, clients need a certificate of it (mutual TLS).
GRPC_TLS_CLIENT_CA = env.text("BSS_GRPC_TLS_CLIENT_CA")
# Names and addresses in the certificate for development, beside localhost and this machine's name.
GRPC_TLS_NAMES = env.words("BSS_GRPC_TLS_NAMES")
# Plaintext, where something in front of the server does TLS. Only by this name; nothing falls back to it.
GRPC_INSECURE_PLAINTEXT = env.boolean("BSS_GRPC_INSECURE_PLAINTEXT")
# Lets tools such as grpcurl ask which RPCs there are; says nothing of customers.
GRPC_REFLECTION = env.boolean("BSS_GRPC_REFLECTION")
GRPC_MAX_MESSAGE_OCTETS = env.integer("BSS_GRPC_MAX_MESSAGE_OCTETS", 4 * 1024 * 1024)
# Calls of a process that may run or wait at once; more are answered RESOURCE_EXHAUSTED.
GRPC_MAX_CALLS = env.integer("BSS_GRPC_MAX_CALLS", 1_000)
# The longest that a unary call may take if the client sets no deadline, and a stream, seconds.
GRPC_MAX_CALL_S = env.integer("BSS_GRPC_MAX_CALL_S", 60)
GRPC_MAX_STREAM_S = env.integer("BSS_GRPC_MAX_STREAM_S", 3600)
# How long calls in flight may take to end when the server stops.
GRPC_DRAIN_S = env.integer("BSS_GRPC_DRAIN_S", 20)
