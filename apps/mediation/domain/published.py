"""What the mediation room tells others."""

from apps.events.domain.kinds import EventKind

FILE_LOADED = EventKind(
    "mediation.file_loaded",
    version=1,
    subject="file",
    meaning="The records of a file, or records recycled from suspense, were charged and stored.",
    fields={"file_id": "The file.", "rated": "How many of its records were charged."},
)
