"""Imported once by the fork server of ``tests.python_processes``: Django set up, and every module of the rooms."""

from __future__ import annotations

import importlib
import os
import pkgutil
import threading

os.environ["DJANGO_SETTINGS_MODULE"] = "bss_project.settings"

import django

django.setup()

import apps
import tests.python_processes  # noqa: F401
from bss_project.celery import app

# What commands and workers import late.
ALSO = (
    *("celery.apps.worker", "celery.bin.celery", "celery.concurrency.solo", "celery.fixups.django"),
    *("celery.worker.consumer", "kombu.transport.redis", "uvloop", "django.core.management.commands.migrate"),
)


def _is_special(name: str) -> bool:
    return ".migrations" in name or name.startswith("apps.runtime.native")


for name in (*ALSO, *(found.name for found in pkgutil.walk_packages(apps.__path__, "apps."))):
    if not _is_special(name):
        importlib.import_module(name)
assert threading.active_count() == 1, f"a thread cannot be copied: {threading.enumerate()}"
assert not app.configured, "Celery has read its settings before the copies were made"
