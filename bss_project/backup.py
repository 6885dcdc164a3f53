"""Backups of an installation: the database at one moment, the documents of bills, and the keys.

A backup is a folder: ``database.sqlite3`` or ``database.sql.gz``, ``documents/``, ``keys/``, and ``manifest.json``,
which is written last and names each file with its SHA-256. A folder without a manifest is a backup that did not end.
"""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import json
import os
import shutil
import sqlite3
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder

from apps.kernel.errors import BssError, Conflict, InvalidInput
from apps.licensing.services.files import evaluation_key_file

MANIFEST = "manifest.json"
DOCUMENTS = "documents"
KEYS = "keys"
CHUNK = 1 << 20
Report = Callable[[int], object]


class BackupFailed(BssError):
    """A program for it is missing, or did not do its work."""

    code = "backup_failed"


def key_files() -> dict[str, Path]:
    """What is secret and irreplaceable, by the name that it has in a backup."""
    var = Path(settings.VAR_DIR)
    return {
        "secret_key": var / "secret_key",
        "api_key": var / "api_key",
        "voucher_keys": Path(settings.VOUCHER_KEY_FILE),
        "actions_key": Path(settings.ACTIONS_KEY_FILE),
        "platform.lic": Path(settings.LICENSE_FILE),
        "evaluation.pub": evaluation_key_file(),
    }


def make_backup(folder: Path, now: datetime, on_file: Report = lambda count: None) -> Path:
    """Make the backup ``bss-<time>`` in the folder while everything runs; returns its path.

    The database comes first, so that every document that its rows name is there. Raises BackupFailed.
    """
    target = folder / f"bss-{now:%Y%m%dT%H%M%SZ}"
    try:
        target.mkdir(parents=True, mode=0o700)
    except FileExistsError:
        raise Conflict(f"{target} exists already") from None
    database = _dump(target)
    for name, path in key_files().items():
        if path.exists():
            _copy(path, target / KEYS / name)
    documents = Path(settings.INVOICES_DIR)
    copied = 0
    for path in sorted(documents.rglob("*")) if documents.exists() else ():
        # A file that is being written has no row yet.
        if path.is_file() and not path.name.endswith((".new", ".part", ".tmp")):
            with contextlib.suppress(FileNotFoundError):
                _copy(path, target / DOCUMENTS / path.relative_to(documents))
            copied += 1
            on_file(copied)
    files = {
        str(path.relative_to(target)): digest(path) for path in sorted(target.rglob("*")) if path.is_file()
    }
    manifest = {
        "made_at": now.isoformat(),
        "vendor": connection.vendor,
        "database": database,
        "migrations": sorted(
            f"{app}.{name}" for app, name in MigrationRecorder(connection).applied_migrations()
        ),
        "files": files,
    }
    new = target / f"{MANIFEST}.new"
    new.write_text(json.dumps(manifest, indent=1) + "\n")
    new.replace(target / MANIFEST)
    return target


def read_manifest(backup: Path) -> dict[str, Any]:
    """The manifest, with every file looked at. Raises InvalidInput for a backup that is not whole."""
    try:
        manifest: dict[str, Any] = json.loads((backup / MANIFEST).read_text())
        files = manifest["files"].items()
    except (OSError, ValueError, KeyError) as error:
        raise InvalidInput(f"it is no backup that was finished: {error}", where=str(backup)) from None
    for name, expected in files:
        path = backup / name
        if not path.is_file() or digest(path) != expected:
            raise InvalidInput("it is missing or was changed since", where=str(path))
    return manifest


def restore_backup(backup: Path, on_file: Report = lambda count: None) -> dict[str, Any]:
    """Bring a backup into an empty database and empty folders; returns its manifest.

    Every file of it is checked first. Raises Conflict if there is something that it would write over, before it
    writes anything.
    """
    manifest = read_manifest(backup)
    if manifest["vendor"] != connection.vendor:
        raise Conflict(f"it is of {manifest['vendor']}, and DATABASE_URL names {connection.vendor}")
    if tables := connection.introspection.table_names():
        raise Conflict(f"the database is not empty: it has {len(tables)} tables; make a new one")
    known = {name: path for name, path in key_files().items() if (backup / KEYS / name).exists()}
    wanted = {backup / KEYS / name: path for name, path in known.items()}
    documents = backup / DOCUMENTS
    for path in sorted(documents.rglob("*")) if documents.exists() else ():
        if path.is_file():
            wanted[path] = Path(settings.INVOICES_DIR) / path.relative_to(documents)
    # The keys that this process has just made for itself give way to those of the backup.
    fresh = {known[name] for name in ("secret_key", "api_key") if name in known}
    # Another machine has a licence of its own.
    for name in ("platform.lic", "evaluation.pub"):
        if Path(settings.LICENSE_FILE).exists() and name in known:
            del wanted[backup / KEYS / name]
    for source, target in wanted.items():
        if target not in fresh and target.exists() and digest(target) != digest(source):
            raise Conflict(f"{target} exists and is another one; move it away")
    _load(backup, manifest["database"])
    for count, (source, target) in enumerate(wanted.items(), 1):
        _copy(source, target)
        on_file(count)
    return manifest


def digest(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    new = target.with_name(f"{target.name}.restoring")
    shutil.copy2(source, new)
    new.replace(target)


# --- The database ---------------------------------------------------------------------------------------------------


def _dump(target: Path) -> str:
    if connection.vendor == "sqlite":
        name = "database.sqlite3"
        source = sqlite3.connect(f"file:{connection.settings_dict['NAME']}?mode=ro", uri=True)
        copy = sqlite3.connect(target / name)
        with contextlib.closing(source), contextlib.closing(copy):
            source.backup(copy)
        return name
    name = "database.sql.gz"
    # One consistent moment of InnoDB's tables, without a lock that writers would wait for.
    program = _program("mariadb-dump", "mysqldump")
    options = ("--single-transaction", "--quick", "--skip-lock-tables", "--hex-blob", "--no-tablespaces")
    with _client_options() as access:
        command = [program, access, *options, str(connection.settings_dict["NAME"])]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as dump:
            assert dump.stdout is not None
            assert dump.stderr is not None
            with gzip.open(target / name, "wb", compresslevel=3) as file:
                shutil.copyfileobj(dump.stdout, file, CHUNK)
            said = dump.stderr.read().decode(errors="replace").strip()
    if dump.returncode:
        raise BackupFailed(f"{program} ended with {dump.returncode}: {said}")
    return name


def _load(backup: Path, name: str) -> None:
    if connection.vendor == "sqlite":
        path = Path(str(connection.settings_dict["NAME"]))
        connection.close()
        for rest in ("-wal", "-shm"):
            path.with_name(path.name + rest).unlink(missing_ok=True)
        _copy(backup / name, path)
        return
    program = _program("mariadb", "mysql")
    with _client_options() as access:
        command = [program, access, str(connection.settings_dict["NAME"])]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE) as client:
            assert client.stdin is not None
            assert client.stderr is not None
            with gzip.open(backup / name, "rb") as file, contextlib.suppress(BrokenPipeError):
                shutil.copyfileobj(file, client.stdin, CHUNK)
            with contextlib.suppress(BrokenPipeError):
                client.stdin.close()
            said = client.stderr.read().decode(errors="replace").strip()
    if client.returncode:
        raise BackupFailed(
            f"{program} ended with {client.returncode}: {said}; the database is half restored, drop it"
        )


def _program(*names: str) -> str:
    for name in names:
        if found := shutil.which(name):
            return found
    raise BackupFailed(f"{names[0]} is not installed; it comes with the database's client programs")


@contextlib.contextmanager
def _client_options() -> Iterator[str]:
    """An option file with the password, which would be seen in the list of processes otherwise."""
    access = connection.settings_dict
    descriptor, path = tempfile.mkstemp(prefix="bss-client-")
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write("[client]\n")
            for option, setting in (
                ("host", "HOST"),
                ("port", "PORT"),
                ("user", "USER"),
                ("password", "PASSWORD"),
            ):
                if access.get(setting):
                    quoted = str(access[setting]).replace("\\", "\\\\").replace('"', '\\"')
                    file.write(f'{option}="{quoted}"\n')
        yield f"--defaults-extra-file={path}"
    finally:
        Path(path).unlink(missing_ok=True)
