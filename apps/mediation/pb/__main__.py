"""Make the Python form of proto/billing.proto again: ``.venv/bin/python -m apps.mediation.pb`` (development tools)."""

from __future__ import annotations

import sys
from pathlib import Path

PROTOCOLS = Path(__file__).resolve().parents[3] / "proto"


def compile_protocol(name: str, folder: Path) -> None:
    """Write the messages of ``proto/NAME.proto`` and their type stub into ``folder``."""
    # Development tools only: a running system needs the result alone.
    import grpc_tools
    from grpc_tools import protoc

    well_known = Path(grpc_tools.__file__).parent / "_proto"
    places = [f"-I{PROTOCOLS}", f"-I{well_known}", f"--python_out={folder}", f"--pyi_out={folder}"]
    if protoc.main(["protoc", *places, f"{name}.proto"]) != 0:
        raise SystemExit(f"protoc could not read proto/{name}.proto; its message is above")
    sys.stdout.write(f"Wrote {name}_pb2\n")


if __name__ == "__main__":
    compile_protocol("billing", Path(__file__).resolve().parent)
