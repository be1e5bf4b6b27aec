"""The fixed data set: practices and staff from `manage.py seed`, then patients and visits copied in by the million.

The seed command makes each row through the models, with its audit events, which takes hours for a million patients.
What is copied here is the same to every reader: names and their searchable words, encrypted contact points, visits
with their allocations and history. It is made from a fixed random seed, around the day on which it is made.
"""

import json
from collections.abc import Collection, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import psycopg
from rich.progress import track

from tests.benchmarks.place import Place, Size, say

RECIPE = 2  # raised when what is seeded changes: a kept data set of another recipe is refused
VISITS_A_DAY = 10
VISIT_EVERY = timedelta(minutes=50)  # the longest kind with its buffer takes 45
PAST_SHARE = 0.7
COPIED = (
    *("patients_patient", "patients_patientname", "patients_contactpoint"),
    *("appointments_appointment", "appointments_resourceallocation", "appointments_statusevent"),
)
LOGS = (
    *("audit_auditevent", "audit_event_patient", "integrations_eventlog"),
    *("procrastinate_jobs", "procrastinate_events"),
)
ALWAYS_ON = {
    "audit_auditevent": ("append_only", "append_only_truncate"),
    "audit_event_patient": ("append_only", "append_only_truncate"),
    "integrations_eventlog": ("audit_insert", "audit_update", "audit_delete"),
}
"""Triggers of the logs that a plain ENABLE leaves off for replication."""
Rows = dict[str, list[dict[str, Any]]]


def ensure(place: Place, size: Size) -> None:
    """Seeds unless this size is there already. `enter_django` comes first."""
    from django.core.management import call_command

    call_command("migrate", verbosity=0)  # a data set that was kept may be older than the last migration
    marker = place.folder / "seeded.json"
    if not marker.exists():
        _seed(place, size)
        with place.connect() as connection:
            now = connection.execute("SELECT now()::text").fetchone()
        marker.write_text(json.dumps({**asdict(size), "recipe": RECIPE, "at": now and now[0]}))
    seeded = json.loads(marker.read_text())
    if seeded | {**asdict(size), "recipe": RECIPE} != seeded:
        raise SystemExit(f"bench: {place.folder} holds another data set ({seeded}): delete it to have it made anew.")
    _forget_what_runs_wrote(place, datetime.fromisoformat(seeded["at"]))


def _seed(place: Place, size: Size) -> None:
    from django.core.management import call_command

    say(f"Seeding {size}; the next run uses it again ...")
    call_command("seed", practices=size.practices, patients=size.practices * 40, appointments=0, verbosity=0)
    with place.connect() as connection:
        # Keys between the rows are right by construction; checking them takes most of the time. All else is checked.
        connection.execute("SET session_replication_role = replica")
        practices = connection.execute("SELECT id, time_zone, slug FROM practices_practice ORDER BY slug").fetchall()
        names = Names.known(connection)
        for practice_id, zone, slug in track(practices, "Practices"):
            random = Random(f"bench {slug}")  # noqa: S311  # the same rows every time, no secrets
            _fill(connection, practice_id, ZoneInfo(zone), names, random, size)
        connection.execute("VACUUM ANALYZE")


def forget(connection: "psycopg.Connection[Any]", since: datetime, *, but: Collection[str] = ()) -> list[str]:
    """Deletes what was written after `since` in any table that says so, but in those named; returns the tables.

    For the superuser: row policies and the audit log's own triggers would refuse.
    """
    connection.execute("SET session_replication_role = replica")
    named = connection.execute(
        "SELECT table_name FROM information_schema.columns"
        " JOIN information_schema.tables USING (table_schema, table_name)"
        " WHERE table_schema = 'public' AND column_name = 'created_at' AND table_type = 'BASE TABLE'"
    )
    tables = [row[0] for row in named.fetchall() if row[0] not in but]
    for table in tables:
        connection.execute(f'DELETE FROM "{table}" WHERE created_at > %s'.encode(), [since])
    return tables


def _forget_what_runs_wrote(place: Place, since: datetime) -> None:
    """Bookings, audit events, sessions and messages of earlier runs: each run starts from the same rows."""
    with place.connect() as connection:
        tables = forget(connection, since)
        for table in LOGS:
            connection.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER".encode())
            connection.execute(f"TRUNCATE {table} CASCADE".encode())
            connection.execute(f"ALTER TABLE {table} ENABLE TRIGGER USER".encode())
        for table, triggers in ALWAYS_ON.items():
            for trigger in triggers:
                connection.execute(f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {trigger}".encode())
        for table in tables:
            connection.execute(f'VACUUM ANALYZE "{table}"'.encode())


@dataclass(frozen=True)
class Names:
    """Of everybody whom the seed command made, in all practices: enough that a million are told apart."""

    given: list[str]
    family: list[str]

    @classmethod
    def known(cls, connection: "psycopg.Connection[Any]") -> "Names":
        def distinct(column: str) -> list[str]:
            rows = connection.execute(f"SELECT DISTINCT {column} FROM patients_patient ORDER BY 1".encode())
            return [row[0] for row in rows.fetchall()]

        return cls(distinct("given_name"), distinct("family_name"))


def _fill(
    connection: "psycopg.Connection[Any]", practice_id: UUID, zone: ZoneInfo, names: "Names", random: Random, size: Size
) -> None:
    from practices.tenancy import Actor, practice_scope

    with practice_scope(practice_id, actor=Actor.system("bench")), connection.transaction():
        patients = _add_patients(connection, practice_id, names, random, size.patients // size.practices)
        _add_visits(connection, practice_id, zone, random, patients, size.appointments // size.practices)


def _add_patients(
    connection: "psycopg.Connection[Any]", practice_id: UUID, names: Names, random: Random, wanted: int
) -> list[UUID]:
    """Up to `wanted`; returns everybody's id."""
    from patients.models import Patient

    ids = list(Patient.objects.order_by("mrn").values_list("pk", flat=True))
    for first in range(len(ids), wanted, 5000):
        rows: Rows = {name: [] for name in COPIED[:3]}
        for number in range(first, min(first + 5000, wanted)):
            _add_patient(rows, practice_id, random, number, random.choice(names.given), random.choice(names.family))
        ids += [row["id"] for row in rows["patients_patient"]]
        copy(connection, practice_id, rows)
    return ids


def _add_patient(rows: Rows, practice_id: UUID, random: Random, number: int, given: str, family: str) -> None:
    from patients.models import ContactPoint, Patient, PatientName

    patient = Patient(practice_id=practice_id, mrn=f"B{number:08}", given_name=given, family_name=family)
    patient.sex = random.choice(("female", "male"))
    patient.language = random.choice(("en", "en", "es", "de", "fr"))
    patient.birth_date = datetime(1930, 1, 1, tzinfo=UTC).date() + timedelta(days=random.randrange(34_000))
    patient.prepare()
    rows["patients_patient"].append(column_values(patient))
    rows["patients_patientname"] += [column_values(word) for word in PatientName.of(patient)]
    contacts = {"phone": f"+1212555{random.randrange(10_000):04}", "email": f"patient{number}@example.test"}
    for kind, share in (("phone", 0.95), ("email", 0.7)):
        if random.random() < share:
            contact = ContactPoint(practice_id=practice_id, patient_id=patient.pk, kind=kind, value=contacts[kind])
            rows["patients_contactpoint"].append(column_values(contact))


def _add_visits(
    connection: "psycopg.Connection[Any]",
    practice_id: UUID,
    zone: ZoneInfo,
    random: Random,
    patients: list[UUID],
    wanted: int,
) -> None:
    """Ten a day for every provider, on the days around today; what is past was mostly fulfilled."""
    from appointments.models import AppointmentType, AvailabilityRule

    kinds = list(AppointmentType.objects.order_by("name"))
    rules = AvailabilityRule.objects.select_related("resource", "location").order_by("resource__name", "id")
    calendars = list({rule.resource_id: rule for rule in rules}.values())
    days = round(wanted / VISITS_A_DAY / len(calendars))
    now = datetime.now(UTC)
    midnight = now.astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0)
    visits = Visits(practice_id, zone.key, now, random)
    for offset in range(days):
        opens = midnight + timedelta(days=offset - round(days * PAST_SHARE), hours=8)
        for rule in calendars:
            for number in range(VISITS_A_DAY):
                start = (opens + number * VISIT_EVERY).astimezone(UTC)
                visits.add(rule, random.choice(kinds), random.choice(patients), start)
        if offset % 50 == 49 or offset == days - 1:
            copy(connection, practice_id, visits.rows)
            visits.rows = {name: [] for name in COPIED[3:]}


class Visits:
    """Rows of visits, their allocations and histories, made from one row of each as the models would save it."""

    def __init__(self, practice_id: UUID, zone: str, now: datetime, random: Random) -> None:
        from appointments.models import Appointment, ResourceAllocation, StatusEvent

        self.now, self.random = now, random
        self.notes = Appointment._meta.get_field("notes")
        self.visit = column_values(Appointment(practice_id=practice_id, time_zone=zone, status="booked"))
        self.allocation = column_values(ResourceAllocation(practice_id=practice_id))
        self.event = column_values(StatusEvent(practice_id=practice_id, action="book", to_status="booked"))
        self.rows: Rows = {name: [] for name in COPIED[3:]}

    def add(self, rule: Any, kind: Any, patient_id: UUID, start: datetime) -> None:
        from appointments.services.allocation import occupied_period
        from practices.models import new_id

        visit = {
            **self.visit,
            "id": new_id(),
            "patient_id": patient_id,
            "appointment_type_id": kind.pk,
            "provider_id": rule.resource.provider_id,
            "location_id": rule.location_id,
            "start": start,
            "end": start + timedelta(minutes=kind.duration),
        }
        self._settle(visit, self.random.random())
        blocking = visit["status"] in ("booked", "fulfilled")
        occupied = dict(zip(("start", "end"), occupied_period(kind, start, visit["end"]), strict=True))
        key = {"appointment_id": visit["id"], "resource_id": rule.resource_id}
        self.rows["appointments_appointment"].append(visit)
        self.rows["appointments_resourceallocation"].append(
            {**self.allocation, **key, **occupied, "id": new_id(), "blocking": blocking}
        )
        event = {**self.event, "id": new_id(), "appointment_id": visit["id"], "to_start": start}
        self.rows["appointments_statusevent"].append(event)

    def _settle(self, visit: dict[str, Any], chance: float) -> None:
        if chance < 0.08:
            visit["status"] = "cancelled"
        elif visit["end"] <= self.now:
            visit["status"] = "noshow" if chance < 0.13 else "fulfilled"
        if visit["status"] == "fulfilled":
            visit |= {"arrived_at": visit["start"], "checked_in_at": visit["start"], "fulfilled_at": visit["end"]}
        if chance > 0.5:
            visit["confirmed_at"] = visit["start"] - timedelta(days=1)
        if chance > 0.7:
            visit["notes"] = self.notes.seal(visit["id"], "Blood pressure check").raw


def column_values(instance: Any) -> dict[str, Any]:
    """Column -> what the database keeps, encrypted and indexed fields filled as saving would."""
    values = {}
    for field in instance._meta.concrete_fields:
        value = field.pre_save(instance, True)
        values[field.column] = getattr(value, "raw", value)
    return values


def copy(connection: "psycopg.Connection[Any]", practice_id: UUID, rows: Rows) -> None:
    for table, values in rows.items():
        if values:
            names = list(values[0])
            columns = ", ".join(f'"{name}"' for name in names)
            with connection.cursor() as cursor, cursor.copy(f"COPY {table} ({columns}) FROM STDIN".encode()) as copy:
                for row in _tuples(values, names):
                    copy.write_row(row)


def _tuples(values: list[dict[str, Any]], names: list[str]) -> Iterator[tuple[Any, ...]]:
    return (tuple(value[name] for name in names) for value in values)
