"""Options that people write, as JSON or in a form: models of pydantic, and their faults in plain words.

Each option is a field whose description says what it may be, such as “a single character”. The same words stand in an
error (“must be a single character, not ';;'”) and in the form.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails

from apps.kernel.errors import InvalidInputs, Problem

_LONGEST_SHOWN = 60


class Options(BaseModel):
    """The base of every set of options: nothing unknown, no value taken for one of another type, no change later."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Described(NamedTuple):
    """One option: its name (``numbers.country_code``), what it may be, and what it is if not given."""

    name: str
    meaning: str
    default: Any


T = TypeVar("T", bound=Options)


def read_options(model: type[T], given: Any, where: str = "options") -> T:
    """The options of an object in JSON. Raises InvalidInputs: each wrong one by its path, and what it may be."""
    try:
        return model.model_validate(given)
    except ValidationError as error:
        raise InvalidInputs([_problem(model, detail, where) for detail in error.errors()]) from None


def described(model: type[Options]) -> Iterator[Described]:
    """Every option of a model in the order of its fields, those of a nested one by their path."""
    for name, field in model.model_fields.items():
        nested = _nested(field.annotation)
        if nested is None:
            yield Described(name, field.description or "", field.get_default(call_default_factory=True))
            continue
        for option in described(nested):
            yield option._replace(name=f"{name}.{option.name}")


def _problem(model: type[Options], detail: ErrorDetails, where: str) -> Problem:
    path = [part for part in detail["loc"] if part != "[key]"]
    place = ".".join([where, *map(str, path)])
    kind, context = detail["type"], detail.get("ctx", {})
    if kind == "value_error":
        return Problem(place, str(context["error"]))
    parent = _model_at(model, path[:-1])
    if kind == "extra_forbidden" and parent is not None:
        return Problem(place, f"is not known; known are {', '.join(parent.model_fields)}")
    shown = repr(detail["input"])[:_LONGEST_SHOWN]
    if kind in ("dict_type", "model_type"):
        return Problem(place, f"must be an object in braces, not {shown}")
    if kind == "literal_error":
        return Problem(place, f"must be one of {context['expected']}, not {shown}")
    meaning = _meaning(model, path)
    return Problem(place, f"must be {meaning}, not {shown}" if meaning else detail["msg"])


def _model_at(model: type[Options], path: list[int | str]) -> type[Options] | None:
    for part in path:
        field = model.model_fields.get(str(part))
        nested = _nested(field.annotation) if field is not None else None
        if nested is None:
            return None
        model = nested
    return model


def _meaning(model: type[Options], path: list[int | str]) -> str:
    """What the option at the path may be; of an entry of an object, what all its entries may be."""
    for length in range(len(path), 0, -1):
        parent = _model_at(model, path[: length - 1])
        field = parent.model_fields.get(str(path[length - 1])) if parent is not None else None
        if field is not None:
            return field.description or ""
    return ""


def _nested(annotation: Any) -> type[Options] | None:
    return annotation if isinstance(annotation, type) and issubclass(annotation, Options) else None
