"""``manage.py config``: what is configured, whence, and whether it can be right."""

from __future__ import annotations

import re
from argparse import ArgumentParser
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from apps.runtime.commands import RoomCommand
from bss_project.settings import environment
from bss_project.settings.toml_file import UBSS_KEYS, place_of

_SECRET = re.compile(r"_(KEY|KEYS|PASSWORD|TOKEN|SECRET)$")
_NOT_SECRET = frozenset({"BSS_LICENSE_PUBLIC_KEY", "BSS_GRPC_TLS_KEY", "BSS_DIAMETER_TLS_KEY"})
"""A public key, and paths of files."""
_READ = re.compile(r'env\.\w+\("(\w+)"')


class Command(RoomCommand):
    help = "Settings: of the environment, of files with secrets, of the TOML file (-i FILE), by default."

    def add_arguments(self, parser: ArgumentParser) -> None:
        doing = parser.add_subparsers(dest="doing", required=True, metavar="COMMAND")
        doing.add_parser("check", help="every start does it: unknown keys and values that cannot be")
        add = doing.add_parser(
            "show", help="values and where they come from; secrets are masked"
        ).add_argument
        add("--changed", action="store_true", help="only what is not the default")
        add("--docs", action="store_true", help="with what each means")

    def handle(self, *args: Any, doing: str, **options: Any) -> None:
        if doing == "show":
            self._show(options["changed"], options["docs"])
            return
        # The settings were read and the file was checked before this command began.
        given = [setting for setting in environment.registry.values() if setting.source != "default"]
        where = f"{environment.CONFIG} and the environment" if environment.CONFIG else "the environment"
        self.stdout.write(
            f"{len(given)} of {len(environment.registry)} settings are given by {where}; all can be read"
        )

    def _show(self, only_changed: bool, with_docs: bool) -> None:
        docs = documented() if with_docs else {}
        for setting in environment.registry.values():
            if only_changed and setting.source == "default":
                continue
            if docs.get(setting.name):
                self.stdout.write(f"# {docs[setting.name]}")
            also = [key for key, name in UBSS_KEYS.items() if name == setting.name]
            place = f"{place_of(setting.name)}" + "".join(f", µBSS's {key}" for key in also)
            self.stdout.write(
                f"{setting.name} = {shown(setting)}  ({setting.source}; {setting.kind}; {place})"
            )


def shown(setting: environment.Setting) -> str:
    """The value, without what is secret in it."""
    if not setting.value:
        return "(empty)"
    if _SECRET.search(setting.name) and setting.name not in _NOT_SECRET:
        return "***"
    if setting.name.endswith("_URL") and (password := urlsplit(setting.value).password):
        return setting.value.replace(f":{password}@", ":***@")
    return setting.value


def documented() -> dict[str, str]:
    """What the settings mean: the comment above each in its module."""
    found = {}
    for path in sorted(Path(environment.__file__).parent.glob("*.py")):
        above: list[str] = []
        was_comment = False
        for line in path.read_text(encoding="utf-8").splitlines():
            is_comment = line.lstrip().startswith("# ")
            if is_comment:
                above = [*(above if was_comment else ()), line.lstrip().removeprefix("# ")]
            elif not line.strip():
                above = []
            # A comment stands for all settings right below it.
            found.update(dict.fromkeys(_READ.findall(line), " ".join(above)))
            was_comment = is_comment
    return found
