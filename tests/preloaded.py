"""Imported once by the fork server of ``tests.python_processes``: Django set up, and every module of the rooms."""

from __future__ import annotations

import importlib
import os
import pkgutil
import threading

# What commands and workers import late.
ALSO = (
    *("celery.apps.worker", "celery.bin.celery", "celery.concurrency.solo", "celery.fixups.django"),
    *("celery.worker.consumer", "kombu.transport.redis", "uvloop", "django.core.management.commands.migrate"),
    "tests.python_processes",
)


def _import_everything() -> None:
    os.environ["DJANGO_SETTINGS_MODULE"] = "bss_project.settings"

    import django

    django.setup()

    import apps
    from bss_project.celery import app

    for name in (*ALSO, *(module.name for module in pkgutil.walk_packages(apps.__path__, "apps."))):
        if ".migrations" not in name and not name.startswith("apps.runtime.native"):
            importlib.import_module(name)
    assert threading.active_count() == 1, f"a thread cannot be copied: {threading.enumerate()}"
    assert not app.configured, "Celery has read its settings before the copies were made"


_import_everything()
