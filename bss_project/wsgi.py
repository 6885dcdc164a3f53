"""The WSGI entry point of the web process."""

import os

from django.core.wsgi import get_wsgi_application

from apps.runtime.start import Role, start

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "bss_project.settings")

application = get_wsgi_application()
start(Role.WEB)
