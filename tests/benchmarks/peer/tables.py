"""The tables, as mapped classes."""

import datetime as dt
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, String, Text, Uuid
from sqlalchemy.dialects.postgresql import ARRAY, INET, JSONB, TIMESTAMP
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship


class Base(DeclarativeBase):
    type_annotation_map = {dt.datetime: TIMESTAMP(timezone=True)}


class Row(Base):
    __abstract__ = True
    id: Mapped[UUID] = mapped_column(primary_key=True)
    practice_id: Mapped[UUID]


class User(Base):
    __tablename__ = "accounts_user"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    email: Mapped[str]
    name: Mapped[str]
    password: Mapped[str]
    is_active: Mapped[bool]
    token_version: Mapped[int]


class Practice(Base):
    __tablename__ = "practices_practice"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    slug: Mapped[str]
    name: Mapped[str]
    time_zone: Mapped[str]
    status: Mapped[str]


class Membership(Row):
    __tablename__ = "accounts_membership"
    user_id: Mapped[UUID]
    roles: Mapped[list[str]] = mapped_column(ARRAY(String(20)))
    status: Mapped[str]


class PracticeKey(Row):
    __tablename__ = "practices_practicekey"
    kind: Mapped[str]
    number: Mapped[int]
    wrapped: Mapped[str]


class PracticePolicy(Row):
    __tablename__ = "practices_practicepolicy"
    min_notice_minutes: Mapped[int]
    horizon_days: Mapped[int]


class Location(Row):
    __tablename__ = "practices_location"
    time_zone: Mapped[str]
    active: Mapped[bool]


class Resource(Row):
    __tablename__ = "practices_resource"
    provider_id: Mapped[UUID | None]
    capacity: Mapped[int]
    active: Mapped[bool]


class Closure(Row):
    __tablename__ = "practices_closure"
    location_id: Mapped[UUID | None]
    start_date: Mapped[dt.date]
    end_date: Mapped[dt.date]


class Provider(Row):
    __tablename__ = "accounts_providerprofile"
    display_name: Mapped[str]
    active: Mapped[bool]


class Patient(Row):
    __tablename__ = "patients_patient"
    mrn: Mapped[str]
    given_name: Mapped[str]
    family_name: Mapped[str]
    preferred_name: Mapped[str]
    sort_name: Mapped[str]
    birth_date: Mapped[dt.date | None]
    birth_date_precision: Mapped[str]
    sex: Mapped[str]
    gender_identity: Mapped[str]
    pronouns: Mapped[str]
    language: Mapped[str]
    time_zone: Mapped[str]
    deceased_at: Mapped[dt.datetime | None]
    restricted: Mapped[bool]
    status: Mapped[str]
    merged_into: Mapped[UUID | None] = mapped_column("merged_into_id")
    version: Mapped[int]
    created_at: Mapped[dt.datetime]
    updated_at: Mapped[dt.datetime]


class PatientName(Row):
    __tablename__ = "patients_patientname"
    patient_id: Mapped[UUID]
    word: Mapped[str]


class ContactPoint(Row):
    __tablename__ = "patients_contactpoint"
    patient_id: Mapped[UUID]
    kind: Mapped[str]
    value: Mapped[str]
    use: Mapped[str]
    rank: Mapped[int]


class AppointmentType(Row):
    __tablename__ = "appointments_appointmenttype"
    duration: Mapped[int]
    buffer_before: Mapped[int]
    buffer_after: Mapped[int]
    active: Mapped[bool]


class Appointment(Row):
    __tablename__ = "appointments_appointment"
    patient_id: Mapped[UUID] = mapped_column(ForeignKey("patients_patient.id"))
    appointment_type: Mapped[UUID] = mapped_column("appointment_type_id")
    provider_id: Mapped[UUID] = mapped_column(ForeignKey("accounts_providerprofile.id"))
    location: Mapped[UUID] = mapped_column("location_id")
    start: Mapped[dt.datetime | None]
    end: Mapped[dt.datetime | None]
    time_zone: Mapped[str]
    status: Mapped[str]
    flow_stage: Mapped[str] = mapped_column(default="")
    cancellation_reason: Mapped[UUID | None] = mapped_column("cancellation_reason_id")
    source: Mapped[str] = mapped_column(default="staff")
    hold_expires_at: Mapped[dt.datetime | None]
    confirmed_at: Mapped[dt.datetime | None]
    arrived_at: Mapped[dt.datetime | None]
    checked_in_at: Mapped[dt.datetime | None]
    fulfilled_at: Mapped[dt.datetime | None]
    late_cancel: Mapped[bool] = mapped_column(default=False)
    left_unseen: Mapped[bool] = mapped_column(default=False)
    series_id: Mapped[UUID | None]
    series_index: Mapped[int | None]
    detached: Mapped[bool] = mapped_column(default=False)
    overbook_reason: Mapped[str] = mapped_column(default="")
    notes: Mapped[str] = mapped_column(default="")
    version: Mapped[int] = mapped_column(default=1)
    created_at: Mapped[dt.datetime]
    updated_at: Mapped[dt.datetime]

    patient: Mapped[Patient] = relationship(lazy="raise")
    provider: Mapped[Provider] = relationship(lazy="raise")


class ResourceAllocation(Row):
    __tablename__ = "appointments_resourceallocation"
    appointment_id: Mapped[UUID]
    resource_id: Mapped[UUID]
    lane: Mapped[int]
    start: Mapped[dt.datetime]
    end: Mapped[dt.datetime]
    blocking: Mapped[bool]
    created_at: Mapped[dt.datetime]
    updated_at: Mapped[dt.datetime]


class StatusEvent(Row):
    __tablename__ = "appointments_statusevent"
    appointment_id: Mapped[UUID]
    action: Mapped[str]
    from_status: Mapped[str] = mapped_column(default="")
    to_status: Mapped[str]
    to_start: Mapped[dt.datetime]
    reason: Mapped[str] = mapped_column(default="")
    by_id: Mapped[UUID]
    at: Mapped[dt.datetime]
    created_at: Mapped[dt.datetime]
    updated_at: Mapped[dt.datetime]


class AuditEvent(Row):
    __tablename__ = "audit_auditevent"
    at: Mapped[dt.datetime]
    actor_kind: Mapped[str]
    actor_id: Mapped[UUID]
    actor_label: Mapped[str]
    roles: Mapped[list[str]] = mapped_column(ARRAY(String(20)))
    action: Mapped[str]
    entity: Mapped[str]
    entity_id: Mapped[UUID | None]
    patient_ids: Mapped[list[UUID]] = mapped_column(ARRAY(Uuid))
    changes: Mapped[dict[str, Any]] = mapped_column(JSONB)
    request_id: Mapped[str]
    ip: Mapped[str | None] = mapped_column(INET)
    operation: Mapped[str]
    reason: Mapped[str] = mapped_column(Text, default="")
    status: Mapped[int | None]
