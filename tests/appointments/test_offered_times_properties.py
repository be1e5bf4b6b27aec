"""Against the database: what free times offer lies in the hours, touches nothing that is booked, and can be booked."""

import itertools
from dataclasses import replace
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.db import transaction
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from appointments.calendars import Search, next_free, search
from appointments.local_time import DAY, ceil_seconds
from appointments.models import (
    Appointment,
    AppointmentType,
    AvailabilityException,
    AvailabilityRule,
    GroupVisit,
    ResourceAllocation,
)
from appointments.problems import SlotUnavailable
from appointments.services import Booking, book
from patients.models import Patient
from practices.models import Closure, Location, Resource
from tests.appointments.conftest import SETUP

hours = st.integers(0, 23).map(time)
days = st.integers(0, 4)


@st.composite
def worlds(draw: st.DrawFn) -> dict[str, Any]:
    return {
        "zone": draw(st.sampled_from(["America/New_York", "Europe/Berlin", "Australia/Lord_Howe", "Asia/Kathmandu"])),
        "weekly": draw(st.lists(st.tuples(st.integers(0, 6), hours, hours), min_size=3, max_size=8)),
        "closed": draw(st.lists(st.tuples(days, st.none() | st.tuples(hours, hours)), max_size=2)),
        "closure": draw(st.none() | days),
        "capacity": draw(st.integers(1, 2)),
        "visit": {
            "duration": draw(st.sampled_from([15, 40, 60])),
            "alignment": draw(st.sampled_from([10, 15, 60])),
            "buffer_before": draw(st.sampled_from([0, 5])),
            "buffer_after": draw(st.sampled_from([0, 10])),
            "required_resource_kinds": draw(st.sampled_from([[], ["room"]])),
            "max_attendees": draw(st.sampled_from([1, 2])),
        },
        "picks": draw(st.lists(st.tuples(st.integers(0, 10_000), st.booleans()), min_size=1, max_size=8)),
    }


def build(clinic: Any, world: dict[str, Any], today: date) -> AppointmentType:
    Location.objects.filter(pk=clinic.location.pk).update(time_zone=world["zone"])
    Resource.objects.filter(pk=clinic.calendar.pk).update(capacity=world["capacity"])
    place = {"resource": clinic.calendar, "location": clinic.location}
    AvailabilityRule.objects.bulk_create(
        AvailabilityRule(**place, weekday=weekday, start_time=opens, end_time=closes, valid_from=date(2026, 1, 1))
        for weekday, opens, closes in world["weekly"]
    )
    for offset, times in world["closed"]:
        day = today + timedelta(days=offset)
        opens, closes = times or (None, None)
        AvailabilityException.objects.create(
            resource=clinic.calendar, kind="closed", start_date=day, end_date=day, start_time=opens, end_time=closes
        )
    if world["closure"] is not None:
        day = today + timedelta(days=world["closure"])
        Closure.objects.create(name="Closed", start_date=day, end_date=day)
    kind: AppointmentType = AppointmentType.objects.create(name="Drawn", **world["visit"])
    return kind


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(worlds())
def test_every_offered_time_can_be_booked_until_nothing_is_offered_there(in_clinic: Any, world: dict[str, Any]) -> None:
    savepoint = transaction.savepoint()
    try:
        check(in_clinic, world)
    finally:
        transaction.savepoint_rollback(savepoint)


def check(clinic: Any, world: dict[str, Any]) -> None:
    now = timezone.now()
    kind = build(clinic, world, now.date())
    clinic.location.refresh_from_db()
    begin = ceil_seconds(now)
    asked = Search(kind, begin, begin + 4 * DAY)
    for pick, expires in world["picks"]:
        offered = search(asked, now=timezone.now())
        assert [at for at, _ in next_free(asked, 1, now=timezone.now())] == [at for at, _ in offered[:1]]
        if not offered:
            return
        second, calendar = offered[pick % len(offered)]
        start = datetime.fromtimestamp(second, ZoneInfo(world["zone"]))
        booking = Booking(
            patient=Patient.objects.create(given_name="Ada", family_name="Moss"),
            appointment_type=kind,
            provider=clinic.provider,
            location=clinic.location,
            start=start,
            hold=expires,
        )
        booked = book(booking, by=SETUP)
        if expires:
            Appointment.objects.filter(pk=booked.pk).update(hold_expires_at=timezone.now() - timedelta(seconds=1))
        if world["capacity"] == 1 or kind.required_resource_kinds:
            seats = 0 if booked.group is None else booked.group.seats - _staying(booked.group)
            left = expires or seats > 0
            assert (second in {at for at, _ in search(asked, now=timezone.now())}) == left
            if not left:
                another = replace(booking, patient=clinic.patient)
                with pytest.raises(SlotUnavailable), transaction.atomic():
                    book(another, by=SETUP)
        assert calendar.provider == clinic.provider.pk
        _nothing_overlaps()


def _staying(group: GroupVisit) -> int:
    expired: Any = Appointment.objects.expired_holds(timezone.now())
    return sum(1 for _ in Appointment.objects.filter(group=group).exclude(pk__in=expired.values("pk")))


def _nothing_overlaps() -> None:
    periods = list(ResourceAllocation.objects.filter(blocking=True).order_by("resource", "lane", "start"))
    for one, other in itertools.pairwise(periods):
        if (one.resource_id, one.lane) == (other.resource_id, other.lane):
            assert one.end <= other.start
