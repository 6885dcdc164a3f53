"""Celery as the rooms use it: their tasks belong to the project's application.

Import this where a task is defined or sent, and no sooner: Celery takes longer to import than most commands run.
"""

from __future__ import annotations

from importlib import import_module

from celery import Task, current_app, shared_task
from django.conf import settings

__all__ = ["Task", "current_app", "shared_task"]

# It makes itself the current application.
import_module(settings.TASKS_MODULE)
