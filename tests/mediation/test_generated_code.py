"""The committed Python form of proto/billing.proto is that of the file as it is."""

from __future__ import annotations

from pathlib import Path

from apps.mediation.pb import __file__ as package
from apps.mediation.pb.__main__ import compile_protocol


def test_the_generated_code_is_up_to_date(tmp_path: Path):
    made = tmp_path / "made"
    made.mkdir()
    compile_protocol("billing", made)
    names = sorted(path.name for path in made.iterdir())
    assert names == ["billing_pb2.py", "billing_pb2.pyi"]
    for name in names:
        committed = Path(package).with_name(name)
        assert committed.read_text() == (made / name).read_text(), (
            f"{name} is not that of proto/billing.proto; run: .venv/bin/python -m apps.mediation.pb"
        )
