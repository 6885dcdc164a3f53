#!/usr/bin/env python
"""The door for operators: ``./run manage [-i FILE.toml] COMMAND`` (or ``./manage.py`` inside the environment)."""

import os
import sys


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "bss_project.settings")
    if len(sys.argv) > 2 and sys.argv[1] in ("-i", "--config"):
        # For this process and those that it starts; settings are read before Django knows any option.
        os.environ["BSS_CONFIG"] = os.path.abspath(sys.argv[2])
        del sys.argv[1:3]
    from django.core.exceptions import ImproperlyConfigured
    from django.core.management import execute_from_command_line

    try:
        execute_from_command_line(sys.argv)
    except ImproperlyConfigured as error:
        sys.exit(f"manage.py: {error}")


if __name__ == "__main__":
    main()
