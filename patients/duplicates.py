"""Who may be the person about to be created. It suggests; people decide."""

from collections import defaultdict
from datetime import date
from uuid import UUID

from django.db import connection

from patients.models import ContactPoint, Patient
from patients.problems import Candidate
from practices.tenancy import Actor, active_practice_id

MAX_CANDIDATES = 10


def candidates(patient: Patient, *, phone: str, by: Actor) -> list[Candidate]:
    """Patients whom `by` may see with the same name and birth date, or the same phone number. Two queries or three."""
    matched: dict[UUID, list[str]] = defaultdict(list)
    if patient.birth_date is not None:
        same = Patient.objects.filter(sort_name=patient.sort_name, birth_date=patient.birth_date)
        for pk in same.values_list("pk", flat=True)[:MAX_CANDIDATES]:
            matched[pk].append("name_and_birth_date")
    if phone:
        sharing = ContactPoint.objects.of_value(phone).values_list("patient_id", flat=True)
        for pk in sharing.order_by("patient_id").distinct()[:MAX_CANDIDATES]:
            matched[pk].append("phone")
    if not matched:
        return []
    found = Patient.objects.visible_to(by).exclude(status=Patient.Status.MERGED).filter(pk__in=matched)
    return [Candidate(each, matched[each.pk]) for each in found[:MAX_CANDIDATES]]


def queue_up(name: str, birth_date: date | None) -> None:
    """Waits for whoever is creating a patient of this name just now, so that the second of two sees the first; and for
    an import that looks at all names.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_advisory_xact_lock_shared(hashtextextended(%s, 0)),"
            " pg_advisory_xact_lock(hashtextextended(%s, 0))",
            [_all_names(), f"{active_practice_id()} {name} {birth_date}"],
        )


def queue_up_for_all() -> None:
    """Waits for everybody who is creating a patient just now, and keeps others waiting until the transaction ends: for
    more names than there can be locks.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [_all_names()])


def _all_names() -> str:
    return f"{active_practice_id()} patients"
