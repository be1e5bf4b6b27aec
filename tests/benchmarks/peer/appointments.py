import datetime as dt
from typing import Annotated
from uuid import UUID

from cryptography.fernet import Fernet
from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict
from sqlalchemy import select
from sqlalchemy.orm import contains_eager

from tests.benchmarks.peer import encryption, paging
from tests.benchmarks.peer.audit import record
from tests.benchmarks.peer.database import Session
from tests.benchmarks.peer.patients import ring_of
from tests.benchmarks.peer.security import READS_APPOINTMENTS, CurrentMember, Member
from tests.benchmarks.peer.tables import Appointment, Patient, Provider
from tests.benchmarks.peer.transitions import TRANSITIONS

router = APIRouter(prefix="/api/v1/appointments")


class Summary(BaseModel):
    model_config = ConfigDict(from_attributes=True)
    id: UUID


class PatientSummary(Summary):
    given_name: str
    family_name: str
    mrn: str


class ProviderSummary(Summary):
    display_name: str


class AppointmentOut(BaseModel):
    id: UUID
    patient: PatientSummary
    appointment_type: UUID
    provider: ProviderSummary
    location: UUID
    start: dt.datetime | None
    end: dt.datetime | None
    time_zone: str
    status: str
    flow_stage: str | None
    cancellation_reason: UUID | None
    series: UUID | None
    series_index: int | None
    detached: bool
    hold_expires_at: dt.datetime | None
    confirmed_at: dt.datetime | None
    arrived_at: dt.datetime | None
    checked_in_at: dt.datetime | None
    fulfilled_at: dt.datetime | None
    late_cancel: bool
    left_unseen: bool
    overbook_reason: str
    notes: str
    allowed_transitions: list[str]
    version: int
    created_at: dt.datetime
    updated_at: dt.datetime


class AppointmentPage(BaseModel):
    next: str | None
    previous: str | None
    results: list[AppointmentOut]


@router.get("")
async def list_appointments(
    request: Request,
    session: Session,
    member: CurrentMember,
    start__gte: dt.datetime | None = None,
    start__lt: dt.datetime | None = None,
    provider: UUID | None = None,
    location: UUID | None = None,
    cursor: str | None = None,
    page_size: Annotated[int, Query(ge=1, le=200)] = 50,
) -> AppointmentPage:
    member.require(READS_APPOINTMENTS)
    query = (
        select(Appointment)
        .join(Appointment.patient)
        .join(Appointment.provider)
        .options(contains_eager(Appointment.patient), contains_eager(Appointment.provider))
        .where(Appointment.practice_id == member.practice_id)
        .where(Patient.practice_id == member.practice_id, Provider.practice_id == member.practice_id)
    )
    if start__gte is not None:
        query = query.where(Appointment.start >= start__gte)
    if start__lt is not None:
        query = query.where(Appointment.start < start__lt)
    if provider is not None:
        query = query.where(Appointment.provider_id == provider)
    if location is not None:
        query = query.where(Appointment.location == location)
    position = _position(cursor)
    rows, more = await paging.page(session, query, (Appointment.start, Appointment.id), position, page_size)
    ring = await ring_of(session, member.practice_id)
    now = dt.datetime.now(dt.UTC)
    results = [shown(each, member, ring, now) for each in rows]
    await record(
        session, request, member, "read", "appointments.appointment", patient_ids={each.patient_id for each in rows}
    )
    await session.commit()
    first = _key(rows[0]) if position and rows else None
    return AppointmentPage(**paging.links(request, first=first, last=_key(rows[-1]) if more else None), results=results)


def shown(appointment: Appointment, member: Member, ring: dict[int, Fernet], now: dt.datetime) -> AppointmentOut:
    """As every answer shows an appointment; of a chart that the member may not see, the busy time alone."""
    patient = PatientSummary.model_validate(appointment.patient)
    notes, overbook_reason = appointment.notes, appointment.overbook_reason
    if appointment.patient.restricted and not member.sees_restricted:
        patient = PatientSummary(id=patient.id, given_name="", family_name="", mrn="")
        notes = overbook_reason = ""
    elif notes:
        place = (member.practice_id, "appointments_appointment", "notes", appointment.id)
        notes = encryption.reveal(ring, *place, notes)
    return AppointmentOut(
        id=appointment.id,
        patient=patient,
        appointment_type=appointment.appointment_type,
        provider=ProviderSummary.model_validate(appointment.provider),
        location=appointment.location,
        start=appointment.start,
        end=appointment.end,
        time_zone=appointment.time_zone,
        status=appointment.status,
        flow_stage=appointment.flow_stage or None,
        cancellation_reason=appointment.cancellation_reason,
        series=appointment.series_id,
        series_index=appointment.series_index,
        detached=appointment.detached,
        hold_expires_at=appointment.hold_expires_at,
        confirmed_at=appointment.confirmed_at,
        arrived_at=appointment.arrived_at,
        checked_in_at=appointment.checked_in_at,
        fulfilled_at=appointment.fulfilled_at,
        late_cancel=appointment.late_cancel,
        left_unseen=appointment.left_unseen,
        overbook_reason=overbook_reason,
        notes=notes,
        allowed_transitions=_allowed_transitions(appointment, now),
        version=appointment.version,
        created_at=appointment.created_at,
        updated_at=appointment.updated_at,
    )


def _allowed_transitions(appointment: Appointment, now: dt.datetime) -> list[str]:
    expires = appointment.hold_expires_at
    lapsed = appointment.status == "pending" and expires is not None and expires <= now
    refused = {
        "no-show": appointment.start is None or appointment.start > now,
        "confirm": lapsed,
        "undo": appointment.start is None,
    }
    return [action for action in TRANSITIONS[appointment.status] if not refused.get(action, False)]


def _key(appointment: Appointment) -> paging.Position:
    return [appointment.start, appointment.id]


def _position(cursor: str | None) -> paging.Position | None:
    if cursor is None:
        return None
    start, appointment_id = paging.decode(cursor)
    return [dt.datetime.fromisoformat(start), UUID(appointment_id)]
