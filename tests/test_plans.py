"""The hottest reads under the row policies, as the runtime login: each is answered by the index made for it.

The requests are sent, and PostgreSQL is asked how it would run every statement that they sent.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from itertools import count
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection, connections
from django.utils import timezone
from psycopg import ClientCursor

from accounts import tokens
from accounts.identity import question
from accounts.models import Membership, User
from appointments.booking_rows import read_named
from appointments.models import Appointment, ResourceAllocation
from appointments.services import Booking, book
from audit.models import AuditEvent
from integrations.models import EventLog, Message
from patients.models import ContactPoint, Patient, PatientIdentifier, PatientName, PatientTag, Tag
from practices.models import Practice
from practices.tenancy import platform_scope, practice_scope
from tests.clients import MemberClient, client_of, session_for
from tests.rows import SETUP, make_row

API = "/api/v1"
ASKED_AGAIN = 10
"""psycopg prepares what comes for the fourth time, PostgreSQL keeps a plan after five more."""
LARGE = (
    *(Patient, PatientName, ContactPoint, PatientIdentifier, PatientTag),
    *(Appointment, ResourceAllocation, AuditEvent, EventLog, Message),
)
"""Tables that grow with a practice's work; no request may read one of them from end to end."""


def hottest(patient: Patient, visit: Appointment, tag: Tag, letters: str) -> dict[str, tuple[str, str]]:
    """What is asked -> the request, and the index that finds its rows. `letters` begin many names."""
    day = f"start__gte={visit.start:%Y-%m-%d}T00:00:00Z&start__lt={visit.start:%Y-%m-%d}T23:59:59Z"
    free = f"appointment_type={visit.appointment_type_id}&from={visit.start:%Y-%m-%d}T00:00:00Z"
    return {
        "patients": ("/patients", "patient_by_name"),
        "patients by birth date": ("/patients?ordering=birth_date", "patient_by_birth_date"),
        "patients lately changed": ("/patients?ordering=-updated_at", "patient_by_update"),
        "one patient": (f"/patients/{patient.pk}", "patients_patient"),
        "name": (f"/patients?search={patient.family_name[:4]}", "patient_name_listed"),
        "two names": (f"/patients?search={patient.given_name} {patient.family_name}", "patient_name_listed"),
        "phone": ("/patients?phone=%2B12025550123", "contact_by_value"),
        "email": ("/patients?email=ada@example.test", "contact_by_value"),
        "identifier": ("/patients?identifier=123456789", "identifier_by_value"),
        "MRN": (f"/patients?mrn={patient.mrn}", "patient_mrn_unique"),
        "MRN in small letters": (f"/patients?mrn={patient.mrn.lower()}", "patient_mrn_unique"),
        "born on": ("/patients?birth_date=1984-07-30", "patient_by_birth_date"),
        "tag": (f"/patients?tag={tag.pk}", "patient_tag_by_tag"),
        "name and birth date": (
            f"/patients?search={letters}&birth_date={patient.birth_date}",
            "patient_by_birth_date",
        ),
        "name and phone": (f"/patients?search={letters}&phone=%2B12025550123", "contact_by_value"),
        "name and identifier": (f"/patients?search={letters}&identifier=123", "identifier_by_value"),
        "tag and email": (f"/patients?tag={tag.pk}&email=ada@example.test", "contact_by_value"),
        "contact points": (f"/patients/{patient.pk}/contacts", "contact_by_patient"),
        "visits": ("/appointments", "appointment_by_start"),
        "one visit": (f"/appointments/{visit.pk}", "appointments_appointment"),
        "a provider's day": (f"/appointments?provider={visit.provider_id}&{day}", "appointment_by_provider"),
        "a location's day": (f"/appointments?location={visit.location_id}&{day}", "appointment_by_"),
        "a patient's visits": (f"/appointments?patient={patient.pk}", "appointment_by_patient"),
        "visits lately changed": ("/appointments?ordering=-updated_at", "appointment_by_update"),
        "day view": (f"/day?location={visit.location_id}&date={visit.start:%Y-%m-%d}", "appointment_by_"),
        "free times": (
            f"/free-times?{free}&to={visit.start:%Y-%m-%d}T23:00:00Z&provider={visit.provider_id}",
            "allocation_by_resource",
        ),
        "events": ("/events?after=1", "integrations_eventlog"),
        "messages": ("/messages", "message_newest_first"),
    }


@pytest.mark.django_db(transaction=True, databases=["default", "owner"])
def test_hottest_reads_use_their_index(settings: Any) -> None:
    settings.RATELIMIT_ENABLE = False
    call_command("seed", practices=2, patients=2000, appointments=4000, verbosity=0)
    client, practice = _owner_of("northside")
    with practice_scope(practice, actor=SETUP):
        visit = Appointment.objects.filter(status="booked").select_related("patient").order_by("-start")[0]
        tag = _fill_the_rest(visit)
        starts = Counter(PatientName.objects.values_list("start", flat=True))
    with connections["owner"].cursor() as cursor:
        cursor.execute("ANALYZE")
    wrong = []
    for name, (path, index) in hottest(visit.patient, visit, tag, starts.most_common(1)[0][0]).items():
        statements = statements_of(client, f"{API}{path}")
        for plan_of in (_plan_for_values, _plan_for_any_values):
            with practice_scope(practice, actor=SETUP), connection.cursor() as cursor:
                plans = [plan_of(cursor, *statement) for statement in statements]
            wrong += [(name, plan) for plan in plans if _reads_all(plan)]
            if not any(f"using {index}" in plan or f"on {index}" in plan for plan in plans):
                wrong.append((f"{name}: without {index} {plan_of.__name__}", "\n\n".join(plans)))
    assert wrong == [], "\n\n".join(f"--- {name}\n{plan}" for name, plan in wrong)
    with practice_scope(practice, actor=SETUP), connection.cursor() as cursor:
        assert _looked_through_while_booking(cursor, visit) == {"appointments_resourceallocation": (0, True)}
    day = "start__gte=2040-01-02T00:00:00Z&start__lt=2040-01-03T00:00:00Z"  # few visits, where a plan expects some
    for path in ("/patients", f"/patients?search={starts.most_common(1)[0][0]}", f"/appointments?{day}"):
        for _ in range(ASKED_AGAIN):
            assert client.get(f"{API}{path}").status_code == 200
    assert _planned_each_time(practice) == []


def _planned_each_time(practice: Practice) -> list[tuple[int, str]]:
    """Statements for pages of rows of which PostgreSQL, asked again and again, has not come to keep a plan."""
    with practice_scope(practice, actor=SETUP), connection.cursor() as cursor:
        cursor.execute(
            "SELECT custom_plans, right(statement, 500) FROM pg_prepared_statements"
            " WHERE statement LIKE '%json_agg%' AND custom_plans > 5 AND generic_plans = 0"
        )
        return list(cursor.fetchall())


def _looked_through_while_booking(cursor: Any, visit: Appointment) -> dict[str, tuple[int, bool]]:
    """Large table -> how often it was read from end to end, and whether an index found rows; where there is a doubt.

    In functions PostgreSQL tells no plan, but it counts. With those plans that it keeps for any values.
    """
    cursor.execute("SET LOCAL plan_cache_mode = force_generic_plan")
    parts = {name: getattr(visit, name) for name in ("patient", "appointment_type", "provider", "location")}
    assert None not in read_named(**{name: part.pk for name, part in parts.items()}, by=SETUP).values()
    book(Booking(**parts, start=timezone.now() + timedelta(days=200)), by=SETUP)
    cursor.execute(
        "SELECT relname, seq_scan, idx_scan > 0 FROM pg_stat_xact_user_tables WHERE relname = ANY(%s)",
        [[model._meta.db_table for model in LARGE]],
    )
    looked = {table: (whole, by_index) for table, whole, by_index in cursor.fetchall()}
    return {name: each for name, each in looked.items() if each[0] or name == ResourceAllocation._meta.db_table}


def _owner_of(slug: str) -> tuple[MemberClient, Practice]:
    with platform_scope(actor=SETUP):
        practice = Practice.objects.get(slug=slug)
        owner = User.objects.get(email=f"owner@{slug}.test")
    return client_of(owner, practice), practice


def _fill_the_rest(visit: Appointment) -> Tag:
    """What seeding makes none of, in numbers that make an index worth it."""
    identifier = make_row(PatientIdentifier, patient=visit.patient, type="SS", value="987654321")
    _multiply(identifier, value_index="md5(n::text)")
    _multiply(make_row(Message, patient=visit.patient), to="''", created_at="now() - n * interval '1 minute'")
    _multiply(make_row(EventLog), seq="2000000 + n", entity_id="gen_random_uuid()")
    tags: list[Tag] = Tag.objects.bulk_create(Tag(name=f"Tag {number}") for number in range(20))
    everybody = Patient.objects.values_list("pk", flat=True)
    PatientTag.objects.bulk_create(
        PatientTag(patient_id=pk, tag=tags[number % 20]) for number, pk in enumerate(everybody)
    )
    return tags[0]


def _multiply(row: Any, **columns: str) -> None:
    """Two thousand copies of a row, but for its id and these columns: SQL with a number `n`."""
    names = [field.column for field in row._meta.concrete_fields]
    values = [columns.get(name, "gen_random_uuid()" if name == "id" else f'old."{name}"') for name in names]
    quoted = ", ".join(f'"{name}"' for name in names)
    with connection.cursor() as cursor:
        cursor.execute(
            f'INSERT INTO "{row._meta.db_table}" ({quoted}) SELECT {", ".join(values)}'
            f' FROM "{row._meta.db_table}" AS old, generate_series(1, 2000) AS n WHERE old.id = %s',
            [row.pk],
        )


Parameters = Sequence[Any] | dict[str, Any]


def statements_of(client: MemberClient, url: str) -> list[tuple[str, Parameters]]:
    """Those that read, with their parameters, but for the one that goes along with opening the scope."""
    asked: list[tuple[str, Parameters]] = []

    def note(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        asked.append((sql, params or ()))
        return execute(sql, params, many, context)

    with connection.execute_wrapper(note):
        response = client.get(url)
    assert response.status_code == 200, response.content
    return [each for each in asked if each[0].lstrip().startswith(("SELECT", "WITH")) and "audit_record" not in each[0]]


def _plan_for_values(cursor: Any, sql: str, params: Parameters) -> str:
    return _explained(cursor, f"EXPLAIN {sql}", params)


def _plan_for_any_values(cursor: Any, sql: str, params: Parameters) -> str:
    """The one that PostgreSQL keeps when the statement comes again and again."""
    if isinstance(params, dict):
        asked = re.sub(r"%\((\w+)\)s", lambda name: f"${list(params).index(name[1]) + 1}", sql)
        params = list(params.values())
    else:
        numbers = count(1)
        asked = re.sub("%s", lambda _: f"${next(numbers)}", sql)
    asked = asked.replace("%%", "%") if params else asked
    cursor.execute(f"SET LOCAL plan_cache_mode = force_generic_plan; PREPARE asked AS {asked}")
    values = f"({', '.join('%s' for _ in params)})" if params else ""
    plan = _explained(cursor, f"EXPLAIN EXECUTE asked{values}", params)
    cursor.execute("DEALLOCATE asked")
    return plan


def _explained(cursor: Any, sql: str, params: Parameters) -> str:
    """Parameters as text: EXPLAIN takes none beside its own."""
    cursor.execute(ClientCursor(connection.connection).mogrify(sql, params) if params else sql)
    return "\n".join(line for (line,) in cursor.fetchall())


def _reads_all(plan: str) -> bool:
    return any(re.search(rf"Seq Scan on {model._meta.db_table}\b", plan) for model in LARGE)


@pytest.mark.django_db(transaction=True, databases=["default", "owner"])
def test_identity_is_found_by_index(practice: Practice) -> None:
    with practice_scope(practice, actor=SETUP):
        user = make_row(Membership, roles=["owner"]).user
    session = session_for(user, practice)
    with practice_scope(practice, actor=SETUP):
        _multiply(session)
    with connections["owner"].cursor() as cursor:
        cursor.execute("ANALYZE")
    sql, params = question(tokens.read_access_token(tokens.access_token(session)))
    with practice_scope(practice, actor=SETUP), connection.cursor() as cursor:
        cursor.execute(sql, params)
        assert cursor.fetchone() is not None
        cursor.execute(
            "SELECT seq_scan, idx_scan FROM pg_stat_xact_user_tables WHERE relname = 'accounts_refreshsession'"
        )
        read_all, by_index = cursor.fetchone()
    assert (read_all, by_index > 0) == (0, True)
