from collections.abc import Callable
from datetime import UTC, datetime, time, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from django.utils import timezone

from accounts.models import Membership, ProviderProfile, User
from appointments.models import AppointmentType
from patients.models import Patient
from practices.models import Location, Practice, Resource
from practices.services import create_practice
from practices.tenancy import Actor, practice_scope

SETUP = Actor.system("tests")


def tomorrow_at(hour: int, minute: int = 0) -> datetime:
    day = timezone.now().date() + timedelta(days=2)
    return datetime.combine(day, time(hour, minute), UTC)


def calendar_of(practice: Practice, name: str = "Vale") -> SimpleNamespace:
    """A provider with a calendar, a location, a room, a half-hour type and a patient; inside the practice's scope."""
    user = User.objects.create_user(f"{name.lower()}-{practice.slug}@example.test", None, name=f"Dr {name}")
    membership = Membership.objects.create(user=user, roles=["provider"])
    provider = ProviderProfile.objects.create(membership=membership, display_name=f"Dr {name}")
    return SimpleNamespace(
        user=user,
        provider=provider,
        calendar=Resource.objects.create(kind="provider", name=f"Dr {name}", provider=provider),
        location=Location.objects.create(name=f"{name} Street"),
        room=Resource.objects.create(kind="room", name=f"{name} Room"),
        visit=AppointmentType.objects.create(name=f"Visit {name}", duration=30),
        patient=Patient.objects.create(given_name="Ada", family_name=name),
    )


@pytest.fixture
def clinic(db: None) -> Any:
    """An open practice with a calendar; `practice` beside what `calendar_of` gives."""
    practice = create_practice(by=SETUP, slug="cedar", name="Cedar", time_zone="America/New_York")
    with practice_scope(practice, actor=SETUP):
        parts = calendar_of(practice)
    parts.practice = practice
    return parts


@pytest.fixture
def in_clinic(clinic: Any) -> Any:
    with practice_scope(clinic.practice, actor=SETUP):
        yield clinic


@pytest.fixture
def booking(clinic: Any) -> Callable[..., Any]:
    from appointments.services import Booking

    def make(**changes: Any) -> Booking:
        values = {
            "patient": clinic.patient,
            "appointment_type": clinic.visit,
            "provider": clinic.provider,
            "location": clinic.location,
            "start": tomorrow_at(15),
        }
        return Booking(**{**values, **changes})

    return make
