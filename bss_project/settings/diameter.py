"""The Diameter server (``manage.py rundiameter``): its identity, addresses and limits."""

import socket

from bss_project.settings import environment as env

# DiameterIdentity of this server, the same in all its processes, and its realm.
DIAMETER_ORIGIN_HOST = env.text("BSS_DIAMETER_ORIGIN_HOST", f"ocs.{socket.gethostname().lower()}")
DIAMETER_ORIGIN_REALM = env.text("BSS_DIAMETER_ORIGIN_REALM", socket.gethostname().lower())

DIAMETER_BIND = env.text("BSS_DIAMETER_BIND", "127.0.0.1")
DIAMETER_PORT = env.integer("BSS_DIAMETER_PORT", 3868)
# TLS from the first octet on (RFC 6733: port 5658); 0 = not offered.
DIAMETER_TLS_PORT = env.integer("BSS_DIAMETER_TLS_PORT", 0)
# PEM files. With a CA, peers need a certificate of it that names their Origin-Host.
DIAMETER_TLS_CERTIFICATE = env.text("BSS_DIAMETER_TLS_CERTIFICATE")
DIAMETER_TLS_KEY = env.text("BSS_DIAMETER_TLS_KEY")
DIAMETER_TLS_CA = env.text("BSS_DIAMETER_TLS_CA")

# Processes behind one port (SO_REUSEPORT).
DIAMETER_PROCESSES = env.integer("BSS_DIAMETER_PROCESSES", 1)
# The core that each of them keeps to, such as 2,3; empty = the system decides.
DIAMETER_CORES = env.text("BSS_DIAMETER_CORES")
# Whether a peer that is not configured is let in, on strict terms.
DIAMETER_ACCEPT_UNKNOWN_PEERS = env.boolean("BSS_DIAMETER_ACCEPT_UNKNOWN_PEERS")
# What a peer may refund, and debit by amount (CC-Money), a day in each currency, unless its row says otherwise.
DIAMETER_MONEY_A_DAY = env.integer("BSS_DIAMETER_MONEY_A_DAY", 10_000)

# Requests of one connection, and of a whole process, that may wait for their answers; more are answered 3004.
DIAMETER_MAX_REQUESTS_A_CONNECTION = env.integer("BSS_DIAMETER_MAX_REQUESTS_A_CONNECTION", 2_000)
DIAMETER_MAX_REQUESTS = env.integer("BSS_DIAMETER_MAX_REQUESTS", 10_000)
# Connections of a process that have not introduced themselves, and those of peers that are not configured. Configured
# peers have one connection each, which nothing else keeps out.
DIAMETER_MAX_UNINTRODUCED = env.integer("BSS_DIAMETER_MAX_UNINTRODUCED", 100)
DIAMETER_MAX_UNKNOWN_PEERS = env.integer("BSS_DIAMETER_MAX_UNKNOWN_PEERS", 1_000)
DIAMETER_MAX_MESSAGE_OCTETS = env.integer("BSS_DIAMETER_MAX_MESSAGE_OCTETS", 65_536)

# Tw of RFC 3539, seconds; each is varied by up to two.
DIAMETER_WATCHDOG_S = env.integer("BSS_DIAMETER_WATCHDOG_S", 30)
# How many open sessions a second are re-authorised (RAR) after a tariff was published; 0 = they ask when their quota
# is no longer valid.
DIAMETER_TARIFF_REAUTHORISATIONS_PER_S = env.integer("BSS_DIAMETER_TARIFF_REAUTHORISATIONS_PER_S", 50)
# How long requests in flight may take to be answered when the server stops.
DIAMETER_DRAIN_S = env.integer("BSS_DIAMETER_DRAIN_S", 10)
