"""Derived charging: for whom a record is charged besides its subscriber, and as what (CGRateS: DerivedChargers).

A row says for which records (direction, tenant, category, account and subject of the default run, perhaps destinations)
there is a run, which of them it takes (a filter), and what it replaces in them.
Sources: CGRateS ``DerivedChargers.csv``, ``engine/handler_derivedcharging.go`` (the key with the fewest ``*any`` that
serves the destination decides), ``engine/cdr.go`` (``ForkCdr``).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from apps.kernel.errors import InvalidInput
from apps.kernel.fields import DEFAULT, Part, Template, record_filter, template
from apps.kernel.fields import Filter as RecordFilter
from apps.rating.domain.runs import DEFAULT_RUN, LONGEST_RUN

ANY = "*any"
OUT = "*out"
SEPARATOR = ";"
EXCLUDED = "!"

# What a run replaces, by the file's column, and the field as conditions and templates name it.
REPLACED = {
    "ReqTypeField": "requesttype",
    "TenantField": "tenant",
    "CategoryField": "category",
    "AccountField": "account",
    "SubjectField": "subject",
    "DestinationField": "destination",
    "AnswerTimeField": "answertime",
    "UsageField": "usage",
}
# The templates in the order of the file. Those not in REPLACED are kept and exported: a rated record has no such field.
COLUMNS = (
    *("ReqTypeField", "DirectionField", "TenantField", "CategoryField", "AccountField"),
    *("SubjectField", "DestinationField", "SetupTimeField", "PddField", "AnswerTimeField"),
    *("UsageField", "SupplierField", "DisconnectCause", "CostField", "RatedField"),
)
KEPT = tuple(column for column in COLUMNS if column not in REPLACED)
FIELDS = (*REPLACED.values(), "direction", "tor", "service", "msisdn", "originid", "source")
# Other spellings of CGRateS, and those of the CDR message; case and “_” make no difference.
_SPELLINGS = {
    "reqtype": "requesttype",
    "accid": "originid",
    "recordid": "originid",
    "originhost": "source",
    "cdrhost": "source",
    "cdrsource": "source",
    "otherparty": "destination",
    "start": "answertime",
    "setuptime": "answertime",
    "typeofrecord": "tor",
}


class ChargerRow(NamedTuple):
    """A row of DerivedChargers.csv. ``fields`` are its templates by column; those that it lacks are ``*default``."""

    direction: str
    tenant: str
    category: str
    account: str
    subject: str
    destination_ids: str
    run: str
    run_filter: str
    fields: Mapping[str, str]


class Run(NamedTuple):
    """A run, ready to be used: which records it takes, and what it replaces in them."""

    name: str
    filter: RecordFilter
    replaced: tuple[tuple[str, Template], ...]

    def derive(self, record: Mapping[str, str]) -> dict[str, str] | None:
        """The fields that are not as in the record, or None if the run does not take it.

        Raises InvalidInput if a value cannot be converted or compared.
        """
        if not self.filter.passes(record):
            return None
        made = [(field, one.value(record)) for field, one in self.replaced]
        return {field: value for field, value in made if value != record[field]}


class RunSet(NamedTuple):
    """The runs of the records with these tenants, categories, accounts and subjects (None: any)."""

    key: tuple[frozenset[str] | None, ...]
    included: tuple[str, ...]
    excluded: tuple[str, ...]
    runs: tuple[Run, ...]

    def is_for(self, values: Sequence[str]) -> bool:
        return all(part is None or value in part for part, value in zip(self.key, values, strict=True))

    @property
    def precision(self) -> tuple[int, ...]:
        """How many parts of the key name values, then which; limited to destinations before not."""
        named = [int(part is not None) for part in self.key]
        return (sum(named), *named, int(bool(self.included or self.excluded)))


class DerivedChargers:
    """All rows of outgoing usage, ready to be used; false if there are none. Raises InvalidInput for a wrong row."""

    def __init__(self, rows: Iterable[ChargerRow]) -> None:
        runs: dict[tuple[str, ...], list[Run]] = defaultdict(list)
        for row in rows:
            if row.direction in ("", OUT, ANY):
                runs[row[1:6]].append(read_run(row))
        sets = [
            RunSet(tuple(map(_values, key[:4])), *_destinations(key[4]), tuple(runs[key])) for key in runs
        ]
        self._sets = sorted(sets, key=lambda one: one.precision, reverse=True)
        self._known: dict[tuple[str, ...], tuple[RunSet, ...]] = {}

    def __bool__(self) -> bool:
        return bool(self._sets)

    def runs_of(
        self,
        tenant: str,
        category: str,
        account: str,
        subject: str,
        serves: Callable[[tuple[str, ...], tuple[str, ...]], bool],
    ) -> tuple[Run, ...]:
        """The runs of a record besides the default one: those of the most precise key that serves its destination."""
        values = (tenant, category, account, subject)
        sets = self._known.get(values)
        if sets is None:
            sets = self._known[values] = tuple(one for one in self._sets if one.is_for(values))
        for one in sets:
            if not (one.included or one.excluded) or serves(one.included, one.excluded):
                return one.runs
        return ()


def read_run(row: ChargerRow) -> Run:
    """A row's run. Raises InvalidInput that names the column."""
    unknown = row.fields.keys() - set(COLUMNS)
    if unknown:
        raise InvalidInput(
            f"there is no {', '.join(sorted(unknown))}; there are {', '.join(COLUMNS)}", where="templates"
        )
    if row.run in ("", DEFAULT_RUN) or len(row.run) > LONGEST_RUN:
        raise InvalidInput(
            f"a run needs a name of 1 to {LONGEST_RUN} characters; {DEFAULT_RUN} is the subscriber's own charge, "
            "which every record has",
            where="RunId",
        )
    try:
        taken = RecordFilter(_named(record_filter(row.run_filter).parts))
    except InvalidInput as error:
        raise InvalidInput(error.message, where="RunFilter") from error
    replaced = []
    for column, field in REPLACED.items():
        text = row.fields.get(column, "").strip()
        if text in ("", DEFAULT):
            continue
        try:
            replaced.append((field, Template(_named(template(text, field).parts))))
        except InvalidInput as error:
            raise InvalidInput(error.message, where=column) from error
    return Run(row.run, taken, tuple(replaced))


def without_effect(row: ChargerRow) -> Iterator[str]:
    """The columns that a row fills in and that are kept only."""
    for column in KEPT:
        if row.fields.get(column, "").strip() not in ("", DEFAULT):
            yield column


def _named(parts: Iterable[Part]) -> tuple[Part, ...]:
    return tuple(part._replace(field=_field(part.field)) if part.field else part for part in parts)


def _field(name: str) -> str:
    plain = name.replace("_", "").casefold()
    field = _SPELLINGS.get(plain, plain)
    if field not in FIELDS:
        raise InvalidInput(f"a record has no field “{name}”; it has {', '.join(FIELDS)}")
    return field


def _values(text: str) -> frozenset[str] | None:
    """The values that a part of a key names; None: any."""
    values = frozenset(value.strip() for value in text.split(SEPARATOR)) - {""}
    return None if not values or ANY in values else values


def _destinations(text: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The destination ids that a set is for and those that it excludes; both empty: all."""
    ids = [one.strip() for one in text.split(SEPARATOR)]
    included = tuple(one for one in ids if one and one != ANY and not one.startswith(EXCLUDED))
    return included, tuple(one[1:] for one in ids if one.startswith(EXCLUDED))
