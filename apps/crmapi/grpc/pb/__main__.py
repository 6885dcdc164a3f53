"""Make the Python form of proto/crm.proto again: ``.venv/bin/python -m apps.crmapi.grpc.pb`` (development tools)."""

from __future__ import annotations

from pathlib import Path

from apps.mediation.pb.__main__ import compile_protocol


def generate(folder: Path) -> None:
    """Write ``crm_pb2.py`` and its type stub into ``folder``; the server has a table of its own for the RPCs."""
    compile_protocol("crm", folder)
    # The messages of billing.proto are mediation's: one copy of them, or the names would be there twice.
    for path in folder.glob("crm_pb2*"):
        text = path.read_text()
        text = text.replace("import billing_pb2 as", "from apps.mediation.pb import billing_pb2 as")
        path.write_text(text)


if __name__ == "__main__":
    generate(Path(__file__).resolve().parent)
