"""The fixed data set: practices and staff from `manage.py seed`, then patients and visits copied in by the million.

The seed command makes each row through the models, with its audit events, which takes hours for a million patients.
What is copied here is the same to every reader: names and their searchable words, encrypted contact points, visits
with their allocations and history. It is made from a fixed random seed, around the day on which it is made.
"""

import json
from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import psycopg
from rich.progress import track

from tests.benchmarks.place import Place, Size, say

VISITS_A_DAY = 10
VISIT_EVERY = timedelta(minutes=50)  # the longest kind with its buffer takes 45
PAST_SHARE = 0.7
COPIED = (
    *("patients_patient", "patients_patientname", "patients_contactpoint"),
    *("appointments_appointment", "appointments_resourceallocation", "appointments_statusevent"),
)
Rows = dict[str, list[dict[str, Any]]]


def ensure(place: Place, size: Size) -> None:
    """Seeds unless this size is there already. `enter_django` comes first."""
    from django.core.management import call_command

    call_command("migrate", verbosity=0)  # a data set that was kept may be older than the last migration
    marker = place.folder / "seeded.json"
    if marker.exists():
        _forget_what_runs_wrote(place, json.loads(marker.read_text())["at"])
        return
    say(f"Seeding {size}; the next run uses it again ...")
    call_command("seed", practices=size.practices, patients=size.practices * 40, appointments=0, verbosity=0)
    with place.connect() as connection:
        practices = connection.execute("SELECT id, time_zone, slug FROM practices_practice ORDER BY slug").fetchall()
        for practice_id, zone, slug in track(practices, "Practices"):
            random = Random(f"bench {slug}")  # noqa: S311  # the same rows every time, no secrets
            _fill(connection, practice_id, ZoneInfo(zone), random, size)
        connection.execute("VACUUM ANALYZE")
        now = connection.execute("SELECT now()").fetchone()
    marker.write_text(json.dumps({**asdict(size), "at": str(now and now[0])}))


def _forget_what_runs_wrote(place: Place, since: str) -> None:
    """Bookings, audit events, sessions and messages of earlier runs: each run starts from the same rows."""
    written_at = {
        "audit_auditevent": "at",
        "integrations_message": "created_at",
        "appointments_resourceallocation": "created_at",
        "appointments_statusevent": "created_at",
        "appointments_appointment": "created_at",
        "accounts_refreshsession": "created_at",
    }
    with place.connect() as connection:
        connection.execute("SET session_replication_role = replica")  # the audit log refuses deletion otherwise
        connection.execute("ALTER TABLE audit_auditevent DISABLE TRIGGER append_only")
        for table, column in written_at.items():
            connection.execute(f'DELETE FROM {table} WHERE "{column}" > %s'.encode(), [since])
        connection.execute("ALTER TABLE audit_auditevent ENABLE ALWAYS TRIGGER append_only")
        for table in ("audit_event_patient", "integrations_eventlog", "procrastinate_jobs", "procrastinate_events"):
            connection.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER".encode())
            connection.execute(f"TRUNCATE {table} CASCADE".encode())
            connection.execute(f"ALTER TABLE {table} ENABLE TRIGGER USER".encode())
        for trigger in ("append_only", "append_only_truncate"):
            connection.execute(f"ALTER TABLE audit_event_patient ENABLE ALWAYS TRIGGER {trigger}".encode())
        for table in written_at:
            connection.execute(f"VACUUM ANALYZE {table}".encode())


def _fill(connection: "psycopg.Connection[Any]", practice_id: UUID, zone: ZoneInfo, random: Random, size: Size) -> None:
    from practices.tenancy import Actor, practice_scope

    with practice_scope(practice_id, actor=Actor.system("bench")), connection.transaction():
        patients = _add_patients(connection, practice_id, random, size.patients // size.practices)
        _add_visits(connection, practice_id, zone, random, patients, size.appointments // size.practices)


def _add_patients(connection: "psycopg.Connection[Any]", practice_id: UUID, random: Random, wanted: int) -> list[UUID]:
    """Up to `wanted`, named like those whom the seed command made; returns everybody's id."""
    from patients.models import Patient

    known = list(Patient.objects.order_by("mrn"))
    given, family = [each.given_name for each in known], [each.family_name for each in known]
    ids = [each.pk for each in known]
    for first in range(len(known), wanted, 5000):
        rows: Rows = {name: [] for name in COPIED[:3]}
        for number in range(first, min(first + 5000, wanted)):
            _add_patient(rows, practice_id, random, number, random.choice(given), random.choice(family))
        ids += [row["id"] for row in rows["patients_patient"]]
        _copy(connection, practice_id, rows)
    return ids


def _add_patient(rows: Rows, practice_id: UUID, random: Random, number: int, given: str, family: str) -> None:
    from patients.models import ContactPoint, Patient, PatientName

    patient = Patient(practice_id=practice_id, mrn=f"B{number:08}", given_name=given, family_name=family)
    patient.sex = random.choice(("female", "male"))
    patient.language = random.choice(("en", "en", "es", "de", "fr"))
    patient.birth_date = datetime(1930, 1, 1, tzinfo=UTC).date() + timedelta(days=random.randrange(34_000))
    patient.prepare()
    rows["patients_patient"].append(_values(patient))
    rows["patients_patientname"] += [_values(word) for word in PatientName.of(patient)]
    contacts = {"phone": f"+1212555{random.randrange(10_000):04}", "email": f"patient{number}@example.test"}
    for kind, share in (("phone", 0.95), ("email", 0.7)):
        if random.random() < share:
            contact = ContactPoint(practice_id=practice_id, patient_id=patient.pk, kind=kind, value=contacts[kind])
            rows["patients_contactpoint"].append(_values(contact))


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

    types = list(AppointmentType.objects.order_by("name"))
    rules = AvailabilityRule.objects.select_related("resource", "location").order_by("resource__name", "id")
    places = {rule.resource: rule.location_id for rule in rules}
    days = round(wanted / VISITS_A_DAY / len(places))
    now = datetime.now(UTC)
    midnight = now.astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0)
    for offset in range(days):
        rows: Rows = {name: [] for name in COPIED[3:]}
        opens = midnight + timedelta(days=offset - round(days * PAST_SHARE), hours=8)
        for calendar, location_id in places.items():
            for number in range(VISITS_A_DAY):
                start = (opens + number * VISIT_EVERY).astimezone(UTC)
                kind = random.choice(types)
                visit = _visit(practice_id, random.choice(patients), kind, calendar, location_id, start, zone.key)
                _settle(visit, now, random.random())
                _add_visit(rows, visit, calendar, kind)
        _copy(connection, practice_id, rows)


def _visit(
    practice_id: UUID, patient_id: UUID, kind: Any, calendar: Any, location_id: UUID, start: datetime, zone: str
) -> Any:
    from appointments.models import Appointment

    return Appointment(
        practice_id=practice_id,
        patient_id=patient_id,
        appointment_type_id=kind.pk,
        provider_id=calendar.provider_id,
        location_id=location_id,
        start=start,
        end=start + timedelta(minutes=kind.duration),
        time_zone=zone,
        status="booked",
    )


def _settle(visit: Any, now: datetime, chance: float) -> None:
    if chance < 0.08:
        visit.status = "cancelled"
    elif visit.end <= now:
        visit.status = "noshow" if chance < 0.13 else "fulfilled"
    if visit.status == "fulfilled":
        visit.arrived_at, visit.checked_in_at, visit.fulfilled_at = visit.start, visit.start, visit.end
    if chance > 0.5:
        visit.confirmed_at = visit.start - timedelta(days=1)
    if chance > 0.7:
        visit.notes = "Blood pressure check"


def _add_visit(rows: Rows, visit: Any, calendar: Any, kind: Any) -> None:
    from appointments.models import ResourceAllocation, StatusEvent
    from appointments.services.allocation import occupied_period

    start, end = occupied_period(kind, visit.start, visit.end)
    key = {"practice_id": visit.practice_id, "appointment_id": visit.pk}
    allocation = ResourceAllocation(
        **key, resource_id=calendar.pk, start=start, end=end, blocking=visit.status in ("booked", "fulfilled")
    )
    rows["appointments_appointment"].append(_values(visit))
    rows["appointments_resourceallocation"].append(_values(allocation))
    rows["appointments_statusevent"].append(
        _values(StatusEvent(**key, action="book", to_status="booked", to_start=visit.start))
    )


def _values(instance: Any) -> dict[str, Any]:
    """Column -> what the database keeps, encrypted and indexed fields filled as saving would."""
    values = {}
    for field in instance._meta.concrete_fields:
        value = field.pre_save(instance, True)
        values[field.column] = getattr(value, "raw", value)
    return values


def _copy(connection: "psycopg.Connection[Any]", practice_id: UUID, rows: Rows) -> None:
    for table, values in rows.items():
        if values:
            names = list(values[0])
            columns = ", ".join(f'"{name}"' for name in names)
            with connection.cursor() as cursor, cursor.copy(f"COPY {table} ({columns}) FROM STDIN".encode()) as copy:
                for row in _tuples(values, names):
                    copy.write_row(row)


def _tuples(values: list[dict[str, Any]], names: list[str]) -> Iterator[tuple[Any, ...]]:
    return (tuple(value[name] for name in names) for value in values)
