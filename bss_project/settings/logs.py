"""Logs: one line an event, on standard error or into a file, as text or JSON; secrets are masked."""

import structlog
from structlog.typing import Processor

from bss_project.log_masks import masked
from bss_project.settings import environment as env

LOG_LEVEL = env.text("BSS_LOG_LEVEL", "INFO").upper()
LOG_JSON = env.boolean("BSS_LOG_JSON")
# Lines go into this file rather than to standard error; a rotated file is opened again.
_path, _to_file = env.text("BSS_LOG_PATH"), env.boolean("BSS_LOG_TO_FILE")
LOG_PATH = env.BASE_DIR / (_path or "bss.log") if _to_file else None
# Numbers of subscribers and devices appear with their last three digits only.
LOG_MASK_NUMBERS = env.boolean("BSS_LOG_MASK_NUMBERS")

_shared: list[Processor] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    masked(LOG_MASK_NUMBERS),
]

structlog.configure(
    processors=[*_shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
    logger_factory=structlog.stdlib.LoggerFactory(),
    cache_logger_on_first_use=True,
)

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "line": {
            "()": structlog.stdlib.ProcessorFormatter,
            "processors": [
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                *(
                    (structlog.processors.format_exc_info, structlog.processors.JSONRenderer())
                    if LOG_JSON
                    # A traceback with local variables would put secrets into the log.
                    else (
                        structlog.dev.ConsoleRenderer(
                            colors=False, pad_event_to=0, exception_formatter=structlog.dev.plain_traceback
                        ),
                    )
                ),
            ],
            "foreign_pre_chain": _shared,
        },
    },
    "handlers": {
        "lines": (
            {"class": "logging.handlers.WatchedFileHandler", "filename": str(LOG_PATH), "formatter": "line"}
            if LOG_PATH
            else {"class": "logging.StreamHandler", "formatter": "line"}
        )
    },
    "root": {"handlers": ["lines"], "level": LOG_LEVEL},
    "loggers": {
        "weasyprint": {"level": "ERROR"},
        "fontTools": {"level": "ERROR"},
        "django.request": {"level": "WARNING"},
        # A line for each tick and each task that went well; errors still come.
        "celery.beat": {"level": "WARNING"},
        "celery.worker.strategy": {"level": "WARNING"},
        "celery.app.trace": {"level": "WARNING"},
        "kombu.connection": {"level": "ERROR"},
    },
}
