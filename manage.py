#!/usr/bin/env python
"""The door for operators: ``./run manage COMMAND`` (or ``./manage.py`` inside the environment)."""

import os
import sys


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "bss_project.settings")
    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
