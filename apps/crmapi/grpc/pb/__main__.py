"""Make the Python form of proto/crm.proto again: ``.venv/bin/python -m apps.crmapi.grpc.pb`` (development tools)."""

from __future__ import annotations

import sys
from pathlib import Path

PACKAGE = "apps.crmapi.grpc.pb"
ROOT = Path(__file__).resolve().parents[4]


def generate(folder: Path) -> None:
    """Write ``crm_pb2.py`` and its type stub into ``folder``; the server has a table of its own for the RPCs."""
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
        "crm.proto",
    ]
    if protoc.main(arguments) != 0:
        raise SystemExit("protoc could not read proto/crm.proto; its message is above")
    # The messages of billing.proto are mediation's: one copy of them, or the names would be there twice.
    for path in folder.glob("crm_pb2*"):
        text = path.read_text()
        text = text.replace("import billing_pb2 as", "from apps.mediation.pb import billing_pb2 as")
        path.write_text(text)


if __name__ == "__main__":
    generate(Path(__file__).resolve().parent)
    sys.stdout.write(f"Wrote {PACKAGE}.crm_pb2\n")
