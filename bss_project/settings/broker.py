"""Celery: BROKER_URL, ``filesystem://PATH`` (default, one machine), ``redis://…`` or ``amqp://…``."""

from pathlib import Path
from typing import Any

from bss_project.settings import environment as env
from bss_project.settings.actions import ACTION_PLANS_TICK_S, ACTIONS_ERRANDS_TICK_S
from bss_project.settings.files import CDR_SCAN_INTERVAL_S, VAR_DIR
from bss_project.settings.insight import STATISTICS_TICK_S

# Where the Celery application is; apps.runtime.tasks imports it when a task is defined or sent.
TASKS_MODULE = "bss_project.celery"

# What `serve` runs on this machine, by the names of µBSS's modules; none: everything (bss_project.serving.MODULES).
MODULES = env.words("BSS_MODULES")

BROKER_URL = env.text("BROKER_URL", f"filesystem://{VAR_DIR / 'broker'}")

CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TIMEZONE = "UTC"
CELERY_ENABLE_UTC = True
CELERY_TASK_DEFAULT_QUEUE = "maintenance"
CELERY_TASK_CREATE_MISSING_QUEUES = True
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_WORKER_SEND_TASK_EVENTS = False
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True

if BROKER_URL.startswith("filesystem://"):
    _folder = Path(BROKER_URL.removeprefix("filesystem://") or VAR_DIR / "broker")
    for _name in ("queue", "control"):
        (_folder / _name).mkdir(parents=True, exist_ok=True)
    CELERY_BROKER_URL = "filesystem://"
    CELERY_BROKER_TRANSPORT = "bss_project.file_broker:Transport"
    CELERY_BROKER_TRANSPORT_OPTIONS = {
        # One folder is both in and out: senders and workers share it.
        "data_folder_in": str(_folder / "queue"),
        "data_folder_out": str(_folder / "queue"),
        "control_folder": str(_folder / "control"),
        "polling_interval": 0.05,
    }
else:
    CELERY_BROKER_URL = BROKER_URL
    CELERY_BROKER_TRANSPORT_OPTIONS = (
        {
            # A dead worker's tasks come back within seconds rather than after an hour; every task may run twice.
            "visibility_timeout": 600,
            "unacked_restore_interval": 5,
            "unacked_restore_throttle": 1,
        }
        if BROKER_URL.startswith("redis")
        else {}
    )

# Due work is a row; these ticks find it. They are idempotent.
_TICKS: dict[str, dict[str, Any]] = {
    "load-cdr-files": {
        "task": "apps.mediation.tasks.load_new_files",
        "schedule": float(CDR_SCAN_INTERVAL_S),
        "options": {"queue": "mediation", "expires": float(CDR_SCAN_INTERVAL_S)},
    },
    "reconcile-sessions": {
        "task": "apps.mediation.tasks.reconcile_sessions",
        "schedule": float(env.integer("BSS_RECONCILIATION_TICK_S", 60)),
        "options": {"queue": "mediation", "expires": 60.0},
    },
    "queue-due-cycles": {
        "task": "apps.billing.tasks.queue_due_cycles",
        "schedule": 60.0,
        "options": {"queue": "maintenance", "expires": 60.0},
    },
    "dispatch-activities": {
        "task": "apps.billing.tasks.dispatch_activities",
        "schedule": float(env.integer("BSS_ACTIVITY_TICK_S", 2)),
        "options": {"queue": "maintenance", "expires": 30.0},
    },
    "publish-due-drafts": {
        "task": "apps.rating.tasks.publish_due_drafts",
        "schedule": float(env.integer("BSS_DRAFT_TICK_S", 10)),
        "options": {"queue": "maintenance", "expires": 60.0},
    },
    "continue-what-ifs": {
        "task": "apps.insight.tasks.continue_what_ifs",
        "schedule": 60.0,
        "options": {"queue": "mediation", "expires": 60.0},
    },
    "continue-reratings": {
        "task": "apps.rerating.tasks.continue_jobs",
        "schedule": 30.0,
        "options": {"queue": "mediation", "expires": 30.0},
    },
    "render-new-bills": {
        "task": "apps.invoicing.tasks.render_new_bills",
        "schedule": float(env.integer("BSS_RENDER_TICK_S", 5)),
        "options": {"queue": "invoicing", "expires": 30.0},
    },
    "run-due-plans": {
        "task": "apps.actions.tasks.run_due_plans",
        "schedule": float(ACTION_PLANS_TICK_S),
        "options": {"queue": "maintenance", "expires": 30.0},
    },
    "run-errands": {
        "task": "apps.actions.tasks.run_errands",
        "schedule": float(ACTIONS_ERRANDS_TICK_S),
        "options": {"queue": "maintenance", "expires": 30.0},
    },
    "forget-old-errands": {
        "task": "apps.actions.tasks.forget_old_errands",
        "schedule": 3600.0,
        "options": {"queue": "maintenance", "expires": 3600.0},
    },
    "end-silent-sessions": {
        "task": "apps.charging.tasks.end_silent_sessions",
        "schedule": float(env.integer("BSS_SUPERVISION_TICK_S", 5)),
        "options": {"queue": "maintenance", "expires": 30.0},
    },
    "watch-expiries": {
        "task": "apps.charging.tasks.watch_expiries",
        "schedule": 60.0,
        "options": {"queue": "maintenance", "expires": 60.0},
    },
    "lift-caps": {
        "task": "apps.charging.tasks.lift_caps",
        "schedule": 60.0,
        "options": {"queue": "maintenance", "expires": 60.0},
    },
    "forget-old-answers": {
        "task": "apps.charging.tasks.forget_old_answers",
        "schedule": 3600.0,
        "options": {"queue": "maintenance", "expires": 3600.0},
    },
    "deliver-events": {
        "task": "apps.events.tasks.deliver_events",
        "schedule": float(env.integer("BSS_EVENTS_TICK_S", 2)),
        "options": {"queue": "maintenance", "expires": 30.0},
    },
    "forget-old-events": {
        "task": "apps.events.tasks.forget_old_events",
        "schedule": 3600.0,
        "options": {"queue": "maintenance", "expires": 3600.0},
    },
    "check-tariff-history": {
        "task": "apps.rating.tasks.check_tariff_history",
        "schedule": 3600.0,
        "options": {"queue": "maintenance", "expires": 3600.0},
    },
    "collect-statistics": {
        "task": "apps.insight.tasks.collect_statistics",
        "schedule": float(STATISTICS_TICK_S),
        "options": {"queue": "maintenance", "expires": 60.0},
    },
    "forget-old-api-records": {
        "task": "apps.crm.tasks.forget_old_records",
        "schedule": 3600.0,
        "options": {"queue": "maintenance", "expires": 3600.0},
    },
}
# A tick of 0 seconds is switched off.
CELERY_BEAT_SCHEDULE = {name: tick for name, tick in _TICKS.items() if tick["schedule"] > 0}
CELERY_BEAT_SCHEDULE_FILENAME = str(VAR_DIR / "celerybeat-schedule")
