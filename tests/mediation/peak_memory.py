"""``python -m tests.mediation.peak_memory FILE``: read and sort a file; how many records and this process's peak."""

from __future__ import annotations

import json
import resource
import sys
from pathlib import Path


def main(path: str) -> None:
    import django

    django.setup()

    from apps.mediation.services.read_file import FileContents, read_contents, reading_of
    from tests.mediation.samples import NOW

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    with Path(path).open("rb") as file, FileContents() as contents:
        reading = reading_of(path, file, dry_run=True)
        read_contents(file, Path(path).stat().st_size, reading, contents, now=NOW, on_step=lambda *_: None)
        count = last = 0
        for record in contents.records:
            assert record[0] >= last
            last = record[0]
            count += 1
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"records": count, "before_mb": before, "peak_mb": peak}))


if __name__ == "__main__":
    main(sys.argv[1])
