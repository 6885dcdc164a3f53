"""What a batch changed, written with a constant number of statements."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper

from apps.charging.domain.balances import Balance
from apps.charging.domain.lines import CounterKey
from apps.charging.domain.member_limits import MemberLimits
from apps.charging.domain.sessions import Session, with_stored_ids
from apps.charging.domain.state import FIRST_NEW_ID, Account, Counter, Entry
from apps.charging.services.books import BookKey, book_ids
from apps.charging.services.failures import Failure, write_failures
from apps.charging.services.member_limits import write_member_uses
from apps.charging.services.rows import balance_figures, instant_text, meters_to_text, part_text
from apps.charging.services.session_memory import Mark
from apps.charging.services.trigger_rows import States, write_states
from apps.events.domain.kinds import NewEvent
from apps.events.services.publishing import publish
from apps.storage.dialect import commits_in_script, upsert_tail
from apps.storage.upserts import Script, insert_few, marks, run, select, update_few, upsert_few


@dataclass(slots=True)
class Writing:
    """The last value of everything that changed, and the entries, answers and failures to be added.

    ``before`` are the sessions as they were read with the ``versions`` of their rows, and ``marks`` those that were
    written as their rows say it now. ``balances_before`` has those that changed as they were read. ``accounts`` are
    those of the balances.
    """

    balances: dict[int, Balance] = field(default_factory=dict)
    balances_before: dict[int, Balance] = field(default_factory=dict)
    counters: dict[CounterKey, Counter] = field(default_factory=dict)
    sessions: dict[str, Session] = field(default_factory=dict)
    new_sessions: set[int] = field(default_factory=set)
    before: dict[str, Session] = field(default_factory=dict)
    versions: dict[str, int] = field(default_factory=dict)
    marks: dict[str, tuple[Mark, Session]] = field(default_factory=dict)
    entries: list[Entry] = field(default_factory=list)
    answers: list[tuple[str, str]] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    events: list[NewEvent] = field(default_factory=list)
    accounts: Mapping[int, Account] = field(default_factory=dict)
    trigger_states: States = field(default_factory=dict)
    trigger_states_before: States = field(default_factory=dict)
    members: dict[int, MemberLimits] = field(default_factory=dict)


def store_new_rows(connection: BaseDatabaseWrapper, writing: Writing) -> None:
    """Give new balances and counters their rows, and name them by the ids of these from here on.

    Caches kept after the batch (sessions, their holds, the last payer) know the rows' ids only.
    """
    ids = _insert_balances(connection, writing) | _insert_counters(connection, writing)
    if not ids:
        return
    writing.balances = {
        ids.get(balance_id, balance_id): balance._replace(balance_id=ids.get(balance_id, balance_id))
        for balance_id, balance in writing.balances.items()
    }
    writing.counters = {
        key: counter._replace(counter_id=ids.get(counter.counter_id, counter.counter_id))
        for key, counter in writing.counters.items()
    }
    writing.sessions = {key: with_stored_ids(session, ids) for key, session in writing.sessions.items()}
    writing.entries = [
        entry._replace(balance_id=ids.get(entry.balance_id, entry.balance_id)) for entry in writing.entries
    ]


def write(connection: BaseDatabaseWrapper, writing: Writing, now: datetime, commit: bool = False) -> None:
    """Write it all, and ``commit`` it, once :func:`store_new_rows` has inserted new rows."""
    script = Script(connection)
    _write_balances(connection, writing, script)
    _write_counters(connection, writing)
    _write_sessions(connection, writing, script)
    _write_reservations(connection, writing, script)
    if writing.trigger_states:
        write_states(connection, writing.trigger_states, writing.trigger_states_before, script)
    if writing.members:
        write_member_uses(connection, writing.members, writing.accounts, now, script)
    _write_entries(connection, writing, script)
    _write_answers(connection, writing, now, script)
    write_failures(connection, writing.failures, now, script)
    if writing.events:
        publish(writing.events, script)
    if commit:
        script.commit()
    script.run()


def _write_answers(connection: BaseDatabaseWrapper, writing: Writing, now: datetime, script: Script) -> None:
    moment = instant_text(now)
    insert_few(
        connection,
        "charging_storedanswer",
        ("`key`", "answered_at", "answer"),
        [(key, moment, answer) for key, answer in writing.answers],
        "ppt",
        script,
    )


_BALANCE_COLUMNS = (
    "account_id",
    "tag",
    "kind",
    "amount_micros",
    "units",
    "reserved_micros",
    "reserved_units",
    "overdraft_micros",
    "weight",
    "expires_at",
    "used_part",
)


def _balance_row(balance: Balance) -> tuple[Any, ...]:
    expires_at = balance.terms.expires_at
    return (
        balance.account_id,
        balance.tag,
        balance.kind,
        *balance_figures(balance),
        balance.terms.weight,
        None if expires_at is None else instant_text(expires_at),
        part_text(balance.used_part),
    )


_FIGURES = ("amount_micros", "units", "reserved_micros", "reserved_units", "overdraft_micros")


def _insert_balances(connection: BaseDatabaseWrapper, writing: Writing) -> dict[int, int]:
    """Insert the new balances as they are by now; the ids of their rows by the provisional ones."""
    ids: dict[int, int] = {}
    for balance_id, balance in sorted(writing.balances.items()):
        if balance_id < FIRST_NEW_ID:
            continue
        # A new balance is rare: it is made once in the life of an account.
        names = ", ".join(_BALANCE_COLUMNS)
        row = _balance_row(balance)
        with connection.cursor() as cursor:
            cursor.execute(f"INSERT INTO charging_balance ({names}) VALUES ({marks(row)})", row)
            ids[balance_id] = int(cursor.lastrowid)
    return ids


def _write_balances(connection: BaseDatabaseWrapper, writing: Writing, script: Script) -> None:
    known = [
        (balance_id, balance)
        for balance_id, balance in sorted(writing.balances.items())
        if balance_id in writing.balances_before
    ]
    changed = _changed_figures(known, writing.balances_before)
    if changed is not None:
        figures = [(balance_id, balance_figures(balance)) for balance_id, balance in known]
        update_few(
            connection,
            "charging_balance",
            [_FIGURES[place] for place in changed],
            [(balance_id, *[values[place] for place in changed]) for balance_id, values in figures],
            script,
        )
        return
    upsert_few(
        connection,
        "charging_balance",
        ("id", *_BALANCE_COLUMNS),
        [(balance_id, *_balance_row(balance)) for balance_id, balance in known],
        key=("id",),
        update=(*_FIGURES, "expires_at", "used_part"),
        forms="iitpiiiiiiop",
        script=script,
    )


def _changed_figures(known: list[tuple[int, Balance]], before: dict[int, Balance]) -> list[int] | None:
    """Which of the figures changed in any of the balances, by their places; None if more than figures did."""
    value = units = reserved = reserved_units = overdraft = False
    for balance_id, balance in known:
        former = before[balance_id]
        if balance.terms is not former.terms or balance.used_part is not former.used_part:
            return None
        if balance.kind == "monetary":
            value = value or balance.value != former.value
            reserved = reserved or balance.reserved != former.reserved
            overdraft = overdraft or balance.overdraft != former.overdraft
        else:
            units = units or balance.value != former.value
            reserved_units = reserved_units or balance.reserved != former.reserved
    changes = (value, units, reserved, reserved_units, overdraft)
    return [place for place, changed in enumerate(changes) if changed]


_COUNTER_KEY = ("subscriber_id", "year", "month", "service_id", "origin", "run")


def _insert_counters(connection: BaseDatabaseWrapper, writing: Writing) -> dict[int, int]:
    """Make the rows of new counters, with nothing used; the ids of the rows by the provisional ones.

    Upserted, because a counter of a month long ago has a row that was not read.
    """
    new = {key: counter for key, counter in writing.counters.items() if counter.counter_id <= -FIRST_NEW_ID}
    if not new:
        return {}
    columns = (*_COUNTER_KEY, "used")
    upsert_few(
        connection,
        "charging_allowancecounter",
        columns,
        [(*key, 0) for key in sorted(new)],
        key=_COUNTER_KEY,
        update=("origin",),
    )
    rows = select(
        connection,
        f"SELECT id, {', '.join(_COUNTER_KEY)} FROM charging_allowancecounter WHERE subscriber_id IN ({{values}})",
        sorted({key.subscriber_id for key in new}),
    )
    ids = {CounterKey(*row[1:]): -row[0] for row in rows}
    return {counter.counter_id: ids[key] for key, counter in new.items()}


def _write_counters(connection: BaseDatabaseWrapper, writing: Writing) -> None:
    """Counters by their natural key. What was used is added to, since files add to the same counters."""
    if not writing.counters:
        return
    used: dict[int, int] = {}
    for entry in writing.entries:
        if entry.balance_id < 0:
            used[entry.balance_id] = used.get(entry.balance_id, 0) + entry.amount
    rows = []
    for key, counter in sorted(writing.counters.items()):
        units = used.get(counter.counter_id, 0)
        if units < 0:
            # Given back: a row to be inserted may not be below zero, even if there is one to add it to.
            run(
                connection,
                f"UPDATE charging_allowancecounter SET used = used + {units}, used_online = used_online + {units},"
                f" reserved = {counter.reserved} WHERE id = {-counter.counter_id}",
            )
        else:
            rows.append((*key, units, units, counter.reserved))
    if not rows:
        return
    columns = (*_COUNTER_KEY, "used", "used_online", "reserved")
    one = f"({marks(columns)})"
    head = (
        f"INSERT INTO charging_allowancecounter ({', '.join(columns)}) VALUES {','.join([one] * len(rows))}"
    )
    tail = upsert_tail(_COUNTER_KEY, update=("reserved",), add=("used", "used_online"), connection=connection)
    with connection.cursor() as cursor:
        cursor.execute(head + tail, [value for row in rows for value in row])


_SESSION_COLUMNS = (
    "session_id",
    "sub_session",
    "account_id",
    "subscriber_id",
    "opened_at",
    "owner",
    "status",
    "updated_at",
    "expires_at",
    "last_number",
    "peer",
    "cost_micros",
    "unpaid_micros",
    "meters",
    "version",
    "due_at",
)


_SESSION_FORMS = "iptiiiptpppitiitip"


def _write_sessions(connection: BaseDatabaseWrapper, writing: Writing, script: Script) -> None:
    columns = ("id", "`key`", *_SESSION_COLUMNS)
    new: list[tuple[Any, ...]] = []
    known: list[tuple[Any, ...]] = []
    for key, session in writing.sessions.items():
        (
            row_id,
            session_id,
            sub_session,
            account_id,
            subscriber_id,
            opened_at,
            updated_at,
            expires_at,
            status,
            last_number,
            peer,
            owner,
            meters,
        ) = session
        expires, version = instant_text(expires_at), writing.versions.get(key, -1) + 1
        (new if row_id in writing.new_sessions else known).append(
            (
                row_id,
                key,
                session_id,
                sub_session,
                account_id,
                subscriber_id,
                instant_text(opened_at),
                owner[:520],
                status,
                instant_text(updated_at),
                expires,
                last_number,
                peer[:800],
                session.cost_micros,
                session.unpaid_micros,
                meters_to_text(meters),
                version,
                expires,
            )
        )
        writing.marks[key] = Mark(row_id, version), session
    # New ones are never laid over an old one: an id that is taken fails the batch, which is then repeated with others.
    insert_few(connection, "charging_chargingsession", columns, new, _SESSION_FORMS, script)
    upsert_few(
        connection,
        "charging_chargingsession",
        columns,
        known,
        key=("id",),
        update=_SESSION_COLUMNS[6:-1],
        lower=("due_at",),
        forms=_SESSION_FORMS,
        script=script,
    )


def _write_reservations(connection: BaseDatabaseWrapper, writing: Writing, script: Script) -> None:
    """Rows of the present holds; unchanged ones are not written."""
    ended: list[int] = []
    wanted: list[tuple[int, int, int, int]] = []
    for key, session in writing.sessions.items():
        row_id = session.row_id
        before = _held(writing.before[key]) if key in writing.before else {}
        after = _held(session)
        if before.keys() - after.keys():
            ended.append(row_id)
            before = {}
        for holding, amount in after.items():
            if before.get(holding) != amount:
                wanted.append((row_id, *holding, amount))
    if ended:
        delete = f"DELETE FROM charging_reservation WHERE session_id IN ({','.join(map(str, ended))})"
        if commits_in_script(connection):
            script.add(delete)
        else:
            run(connection, delete)
    upsert_few(
        connection,
        "charging_reservation",
        ("session_id", "meter", "holder_id", "amount"),
        sorted(wanted),
        key=("session_id", "meter", "holder_id"),
        update=("amount",),
        forms="iiii",
        script=script,
    )


def _held(session: Session) -> dict[tuple[int, int], int]:
    """What the session holds, by number of the meter and holder."""
    return {
        (number, hold.balance_id): hold.amount
        for number, meter in enumerate(session.meters)
        for hold in meter.holds
    }


def _write_entries(connection: BaseDatabaseWrapper, writing: Writing, script: Script) -> None:
    money, units, places = [], [], []
    for entry in writing.entries:
        if entry.balance_id < 0:
            units.append(
                (-entry.balance_id, instant_text(entry.at), entry.amount, entry.cause, entry.session_row)
            )
            continue
        balance = writing.balances[entry.balance_id]
        owner = writing.accounts[balance.account_id]
        places.append((entry, balance.kind == "monetary", BookKey(owner.tenant, owner.currency, entry.book)))
    books = book_ids(connection, {key for _, _, key in places})
    for entry, monetary, key in places:
        micros, amount = (entry.amount, 0) if monetary else (0, entry.amount)
        money.append(
            (
                entry.balance_id,
                instant_text(entry.at),
                entry.kind,
                books[key],
                micros,
                amount,
                entry.cause,
                entry.note[:200],
                entry.session_row,
            )
        )
    insert_few(
        connection,
        "charging_ledgerentry",
        ("balance_id", "at", "kind", "book_id", "amount_micros", "units", "cause", "note", "session_id"),
        money,
        "ippiiiptn",
        script,
    )
    insert_few(
        connection,
        "charging_allowanceentry",
        ("counter_id", "at", "units", "cause", "session_id"),
        units,
        "ipipn",
        script,
    )
