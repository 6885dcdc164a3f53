"""The words of the repository: documents, comments, docstrings and test names keep to plain engineers' English.

A word is on the list if it is vague or archaic; the list says what to write instead.
"""

from __future__ import annotations

import io
import re
import subprocess
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
INSTEAD = {
    r"an" + "ew": "again, re-read, rebuild, invalidate",
    r"thr" + "ice": "three times",
    r"before" + "hand": "in advance",
    r"some" + "body": "the user, the caller, another process",
    r"any" + "body": "any caller, any process; others",
    r"no" + "body": "no user, no process; or the passive voice",
    r"who(m|so)?" + "ever": "the caller that, users who",
    r"what" + "ever": "any, every; with any",
    r"where" + "ver": "in every place, at any step",
    r"where (there|it) (is|are|was|were|has|had) (an?|any|empty|no|none|not|nothing|one|some)": "if there is …",
    r"where (none|neither)": "if none",
}
BANNED = {words: re.compile(rf"\b{words}\b", re.IGNORECASE) for words in INSTEAD}
ANY_BANNED = re.compile(
    "|".join(rf"(?<![^\W_]){words.replace(' ', '[ _]')}(?![^\W_])" for words in INSTEAD), re.IGNORECASE
)
LINE_ENDS = (
    tokenize.NEWLINE,
    tokenize.NL,
    tokenize.INDENT,
    tokenize.DEDENT,
    tokenize.COMMENT,
    tokenize.ENCODING,
)


def texts_of(path: str, source: str) -> Iterator[tuple[int, str]]:
    """(first line, text) of a document, or of a module's comments, docstrings and names of tests."""
    if path.endswith(".md"):
        yield 1, source
        return
    before, depth = tokenize.ENCODING, 0
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT or (
            token.type == tokenize.STRING and before in LINE_ENDS and depth == 0
        ):
            yield token.start[0], token.string
        elif token.type == tokenize.NAME and token.string.startswith("test_"):
            yield token.start[0], token.string.replace("_", " ")
        elif token.type == tokenize.OP:
            depth += (token.string in "([{") - (token.string in ")]}")
        before = token.type


def faults_in(path: str, source: str) -> Iterator[str]:
    if not ANY_BANNED.search(source):
        return
    for first, text in texts_of(path, source):
        for words, pattern in BANNED.items():
            for found in pattern.finditer(text):
                line = first + text.count("\n", 0, found.start())
                yield f"{path}:{line}: “{found.group()}”; better: {INSTEAD[words]}"


def test_documents_comments_and_test_names_are_free_of_banned_words() -> None:
    listed = subprocess.run(
        ["git", "ls-files", "-z", "*.py", "*.md"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    paths = [path for path in listed.stdout.split("\0") if path and (ROOT / path).exists()]
    assert paths
    faults = [fault for path in paths for fault in faults_in(path, (ROOT / path).read_text())]
    assert not faults, "\n".join(["", *faults])


@pytest.mark.parametrize(
    ("path", "source", "line"),
    [
        ("x.md", "Fine.\nThe rows are read an" + "ew.", 2),
        ("x.py", "# Fine.\nx = 1  # What" + "ever it is.\n", 2),
        ("x.py", 'def f():\n    """Fine.\n\n    No' + 'body calls it.\n    """\n', 4),
        ("x.py", "\n\ndef test_any" + "body_may():\n    pass\n", 3),
        ("x.py", '"""None where ' + 'there is none."""\n', 1),
    ],
)
def test_a_banned_word_is_reported_with_its_file_and_line(path: str, source: str, line: int) -> None:
    (fault,) = faults_in(path, source)
    assert fault.startswith(f"{path}:{line}: ")


def test_values_and_names_of_code_may_have_any_words() -> None:
    source = "no" + 'body = client.get(\n    "no' + 'body",\n)\n'
    assert not list(faults_in("x.py", source))
