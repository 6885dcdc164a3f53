"""The ASGI entry point of the web process."""

import os

from django.core.asgi import get_asgi_application

from apps.runtime.start import Role, start

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "bss_project.settings")

application = get_asgi_application()
start(Role.WEB)
