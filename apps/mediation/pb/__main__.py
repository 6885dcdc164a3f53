"""Make the Python form of proto/billing.proto again: ``.venv/bin/python -m apps.mediation.pb`` (development tools)."""

from __future__ import annotations

import sys
from pathlib import Path

PACKAGE = "apps.mediation.pb"
ROOT = Path(__file__).resolve().parents[3]


def generate(folder: Path) -> None:
    """Write ``billing_pb2.py`` and its type stub into ``folder``."""
    # Development tools only: a running system needs the result alone.
    import grpc_tools
    from grpc_tools import protoc

    well_known = Path(grpc_tools.__file__).parent / "_proto"
    arguments = [
        "protoc",
        f"-I{ROOT / 'proto'}",
        f"-I{well_known}",
        f"--python_out={folder}",
        f"--pyi_out={folder}",
        "billing.proto",
    ]
    if protoc.main(arguments) != 0:
        raise SystemExit("protoc could not read proto/billing.proto; its message is above")


if __name__ == "__main__":
    generate(Path(__file__).resolve().parent)
    sys.stdout.write(f"Wrote {PACKAGE}.billing_pb2\n")
