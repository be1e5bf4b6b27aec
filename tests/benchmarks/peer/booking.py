"""Booking: the same checks, the same lock and exclusion constraint, the same rows."""

import datetime as dt
from typing import Any, TypeVar
from uuid import UUID

from fastapi import APIRouter, HTTPException, Request
from pydantic import BaseModel, ConfigDict
from sqlalchemy import func, insert, or_, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm.attributes import set_committed_value

from tests.benchmarks.peer.appointments import AppointmentOut, shown
from tests.benchmarks.peer.audit import new_id, record
from tests.benchmarks.peer.database import Session
from tests.benchmarks.peer.patients import visible_patients
from tests.benchmarks.peer.security import BOOKS, CurrentMember, Member
from tests.benchmarks.peer.tables import (
    Appointment,
    AppointmentType,
    Closure,
    Location,
    Patient,
    Practice,
    PracticePolicy,
    Provider,
    Resource,
    ResourceAllocation,
    Row,
    StatusEvent,
)

router = APIRouter(prefix="/api/v1/appointments")
RowT = TypeVar("RowT", bound=Row)


class BookingIn(BaseModel):
    model_config = ConfigDict(extra="forbid")
    patient: UUID
    appointment_type: UUID
    provider: UUID
    location: UUID
    start: dt.datetime


@router.post("", status_code=201)
async def book(request: Request, session: Session, member: CurrentMember, wish: BookingIn) -> AppointmentOut:
    member.require(BOOKS)
    patient: Patient | None = await session.scalar(visible_patients(member).where(Patient.id == wish.patient))
    if patient is None or patient.status != "active" or patient.deceased_at is not None:
        raise HTTPException(400, "This patient can't be booked.")
    kind = await _named(session, member, AppointmentType, wish.appointment_type)
    provider = await _named(session, member, Provider, wish.provider)
    location = await _named(session, member, Location, wish.location)
    resource = await session.scalar(
        select(Resource).where(Resource.practice_id == member.practice_id, Resource.provider_id == provider.id)
    )
    if resource is None or not (kind.active and provider.active and location.active and resource.active):
        raise HTTPException(400, "This is no longer in use.")
    zone = location.time_zone or await session.scalar(
        select(Practice.time_zone).where(Practice.id == member.practice_id)
    )
    end = wish.start + dt.timedelta(minutes=kind.duration)
    await _check_time(session, member, wish.start)
    await _check_closures(session, member, wish, end)
    starts, ends = wish.start - dt.timedelta(minutes=kind.buffer_before), end + dt.timedelta(minutes=kind.buffer_after)
    await _require_free(session, member, resource, starts, ends)
    now = dt.datetime.now(dt.UTC)
    stamps = {"practice_id": member.practice_id, "created_at": now, "updated_at": now}
    appointment = Appointment(
        **stamps,
        id=new_id(),
        patient_id=patient.id,
        appointment_type=kind.id,
        provider_id=provider.id,
        location=location.id,
        start=wish.start,
        end=end,
        time_zone=zone,
        status="booked",
    )
    session.add(appointment)
    await session.flush()
    key = {**stamps, "appointment_id": appointment.id}
    allocation = {"resource_id": resource.id, "lane": 0, "start": starts, "end": ends, "blocking": True}
    event = {"action": "book", "from_status": "", "to_status": "booked", "to_start": wish.start, "reason": ""}
    try:
        await session.execute(insert(ResourceAllocation).values(id=new_id(), **key, **allocation))
    except IntegrityError as error:
        raise HTTPException(409, "Something else is booked at this time.") from error
    await session.execute(insert(StatusEvent).values(id=new_id(), **key, **event, by_id=member.user.id, at=now))
    entity = "appointments.appointment"
    await record(session, request, member, "create", entity, patient_ids=[patient.id], entity_id=appointment.id)
    await session.commit()
    set_committed_value(appointment, "patient", patient)
    set_committed_value(appointment, "provider", provider)
    return shown(appointment, member, {}, now)


async def _named(session: Session, member: Member, table: type[RowT], row_id: UUID) -> RowT:
    row = await session.scalar(select(table).where(table.practice_id == member.practice_id, table.id == row_id))
    if row is None:
        raise HTTPException(400, "There is no such object.")
    return row


async def _check_time(session: Session, member: Member, start: dt.datetime) -> None:
    policy = await session.scalar(select(PracticePolicy).where(PracticePolicy.practice_id == member.practice_id))
    now = dt.datetime.now(dt.UTC)
    notice = dt.timedelta(minutes=policy.min_notice_minutes if policy else 0)
    horizon = dt.timedelta(days=policy.horizon_days if policy else 365)
    if not now + notice <= start <= now + horizon:
        raise HTTPException(400, "This is too soon or too far ahead.")


async def _check_closures(session: Session, member: Member, wish: BookingIn, end: dt.datetime) -> None:
    here: Any = or_(Closure.location_id == wish.location, Closure.location_id.is_(None))
    closures = select(Closure.id).where(Closure.practice_id == member.practice_id, here)
    closed = closures.where(Closure.start_date <= end.date(), Closure.end_date >= wish.start.date())
    if await session.scalar(closed.limit(1)):
        raise HTTPException(400, "The location is closed at this time.")


async def _require_free(
    session: Session, member: Member, resource: Resource, starts: dt.datetime, ends: dt.datetime
) -> None:
    """Looks under a lock per resource; the exclusion constraint has the last word."""
    await session.execute(select(func.pg_advisory_xact_lock(resource.id.int & 0x7FFF_FFFF_FFFF_FFFF)))
    taken = await session.scalar(
        select(func.count())
        .select_from(ResourceAllocation)
        .where(ResourceAllocation.practice_id == member.practice_id, ResourceAllocation.resource_id == resource.id)
        .where(ResourceAllocation.blocking, ResourceAllocation.start < ends, ResourceAllocation.end > starts)
    )
    if taken:
        raise HTTPException(409, "Something else is booked at this time.")
