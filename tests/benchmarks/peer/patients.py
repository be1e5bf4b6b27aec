import datetime as dt
import os
import unicodedata
from collections.abc import Sequence
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, HTTPException, Query, Request
from pydantic import BaseModel, ConfigDict
from sqlalchemy import select

from tests.benchmarks.peer import encryption, paging
from tests.benchmarks.peer.audit import record
from tests.benchmarks.peer.database import Session
from tests.benchmarks.peer.security import CurrentMember, Member
from tests.benchmarks.peer.tables import ContactPoint, Patient, PatientName, PracticeKey

router = APIRouter(prefix="/api/v1/patients")
LAST_CHARACTER = "\U0010ffff"


class PatientOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    id: UUID
    mrn: str
    given_name: str
    family_name: str
    preferred_name: str
    birth_date: dt.date | None
    birth_date_precision: str
    sex: str
    gender_identity: str
    pronouns: str
    language: str
    time_zone: str
    deceased_at: dt.datetime | None
    restricted: bool
    status: str
    merged_into: UUID | None
    version: int
    created_at: dt.datetime
    updated_at: dt.datetime
    phone: str | None = None
    email: str | None = None


class PatientPage(BaseModel):
    next: str | None
    previous: str | None
    results: list[PatientOut]


@router.get("")
async def list_patients(
    request: Request,
    session: Session,
    member: CurrentMember,
    search: str | None = None,
    cursor: str | None = None,
    page_size: Annotated[int, Query(ge=1, le=200)] = 50,
) -> PatientPage:
    query = visible_patients(member)
    for term in _words(search or ""):
        found = select(PatientName.patient_id).where(PatientName.practice_id == member.practice_id)
        query = query.where(
            Patient.id.in_(found.where(PatientName.word >= term, PatientName.word < term + LAST_CHARACTER))
        )
    position = _position(cursor)
    patients, more = await paging.page(session, query, (Patient.sort_name, Patient.id), position, page_size)
    results = await _with_contacts(session, member, patients)
    await record(session, request, member, "read", "patients.patient", patient_ids=[each.id for each in patients])
    await session.commit()
    links = paging.links(
        request,
        first=_key(patients[0]) if position and patients else None,
        last=_key(patients[-1]) if more else None,
    )
    return PatientPage(**links, results=results)


@router.get("/{patient_id}")
async def get_patient(request: Request, session: Session, member: CurrentMember, patient_id: UUID) -> PatientOut:
    patient = await session.scalar(visible_patients(member).where(Patient.id == patient_id))
    if patient is None:
        raise HTTPException(404, "There is no such object.")
    [shown] = await _with_contacts(session, member, [patient])
    await record(session, request, member, "read", "patients.patient", patient_ids=[patient.id])
    await session.commit()
    return shown


def visible_patients(member: Member) -> Any:
    """Of the member's practice; restricted charts only for those who treat."""
    query = select(Patient).where(Patient.practice_id == member.practice_id)
    return query if member.sees_restricted else query.where(Patient.restricted.is_(False))


async def ring_of(session: Session, practice_id: UUID) -> dict[int, Any]:
    ring = encryption.ring_of(practice_id)
    if ring is None:
        keys = select(PracticeKey.number, PracticeKey.wrapped).where(PracticeKey.practice_id == practice_id)
        rows = await session.execute(keys.where(PracticeKey.kind == "data", PracticeKey.wrapped != ""))
        ring = encryption.remember(practice_id, [(row[0], row[1]) for row in rows], os.environ["FIELD_ENCRYPTION_KEYS"])
    return ring


async def _with_contacts(session: Session, member: Member, patients: Sequence[Patient]) -> list[PatientOut]:
    """Each with the primary phone and email address: one query for all, decrypted here."""
    rows = await session.execute(
        select(ContactPoint.id, ContactPoint.patient_id, ContactPoint.kind, ContactPoint.value)
        .where(ContactPoint.practice_id == member.practice_id, ContactPoint.use != "old")
        .where(ContactPoint.patient_id.in_([patient.id for patient in patients]))
        .order_by(ContactPoint.patient_id, ContactPoint.kind, ContactPoint.rank, ContactPoint.id)
        .distinct(ContactPoint.patient_id, ContactPoint.kind)
    )
    ring = await ring_of(session, member.practice_id)
    results = {patient.id: PatientOut.model_validate(patient) for patient in patients}
    for contact_id, patient_id, kind, sealed in rows:
        value = encryption.reveal(ring, member.practice_id, "patients_contactpoint", "value", contact_id, sealed)
        setattr(results[patient_id], kind, value)
    return list(results.values())


def _words(text: str) -> list[str]:
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    bare = "".join(each for each in decomposed if not unicodedata.combining(each))
    return sorted(set("".join(each if each.isalnum() else " " for each in bare).split()))


def _key(patient: Patient) -> paging.Position:
    return [patient.sort_name, str(patient.id)]


def _position(cursor: str | None) -> paging.Position | None:
    if cursor is None:
        return None
    sort_name, patient_id = paging.decode(cursor)
    return [sort_name, UUID(patient_id)]
