"""Settings, one file a concern; each reads its own environment variables and documents them.

Everything has a default that runs on one machine without a server (SQLite, Celery over the filesystem).
"""

from bss_project.settings.actions import *  # noqa: F403
from bss_project.settings.base import *  # noqa: F403
from bss_project.settings.billing import *  # noqa: F403
from bss_project.settings.broker import *  # noqa: F403
from bss_project.settings.crmapi import *  # noqa: F403
from bss_project.settings.database import *  # noqa: F403
from bss_project.settings.diameter import *  # noqa: F403
from bss_project.settings.events import *  # noqa: F403
from bss_project.settings.files import *  # noqa: F403
from bss_project.settings.insight import *  # noqa: F403
from bss_project.settings.invoicing import *  # noqa: F403
from bss_project.settings.licence import *  # noqa: F403

from bss_project.settings.admin_site import *  # noqa: F403 isort: skip
from bss_project.settings.charging import *  # noqa: F403
from bss_project.settings.logs import *  # noqa: F403
from bss_project.settings.metrics import *  # noqa: F403
from bss_project.settings.rating import *  # noqa: F403
from bss_project.settings.rerating import *  # noqa: F403
from bss_project.settings.rest import *  # noqa: F403
from bss_project.settings.vouchers import *  # noqa: F403

from bss_project.settings import environment as _environment  # isort: skip

_environment.check_file()
