"""Metrics and probes for machines that watch: Prometheus, an orchestrator."""

from bss_project.settings import environment as env

METRICS_BIND = env.text("BSS_METRICS_BIND", "127.0.0.1")
# Port of /metrics, /livez and /readyz of `serve`, `rundiameter` and `rungrpc`, for all their processes; 0: none.
METRICS_PORT = env.integer("BSS_METRICS_PORT", 0)
