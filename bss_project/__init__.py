"""The Django project: settings, Celery, routing, URLs and the commands that span rooms."""
