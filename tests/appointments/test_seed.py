"""The demo's data: the same every time, and a second run adds nothing."""

from typing import Any

import pytest
from django.core.management import CommandError, call_command

from accounts.models import Membership, User
from appointments.models import Appointment, ResourceAllocation
from patients.models import Patient
from practices.models import Practice
from practices.tenancy import Actor, platform_scope, practice_scope

BY = Actor.system("tests")
SIZE = {"patients": 40, "appointments": 400, "verbosity": 0}


def contents() -> dict[str, Any]:
    with platform_scope(actor=BY):
        practices = list(Practice.objects.order_by("slug"))
    found: dict[str, Any] = {"users": list(User.objects.order_by("email").values_list("email", "password"))}
    for practice in practices:
        with practice_scope(practice, actor=BY):
            found[practice.slug] = (
                list(Patient.objects.order_by("mrn").values_list("mrn", "family_name", "birth_date")),
                list(Appointment.objects.order_by("id").values_list("id", "version")),
                ResourceAllocation.objects.count(),
                Membership.objects.count(),
            )
    return found


@pytest.mark.django_db
def test_seed_twice_adds_nothing_the_second_time() -> None:
    call_command("seed", **SIZE)
    first = contents()
    call_command("seed", **SIZE)
    assert contents() == first
    patients, visits, allocations, members = first["northside"]
    assert (len(patients), members, allocations) == (20, 9, len(visits))
    assert len(visits) > 20
    emails = {email for email, _ in first["users"]}
    assert {"owner@northside.test", "frontdesk@lakeside.test", "multi@demo.test", "root@demo.test"} <= emails


@pytest.mark.django_db
def test_seed_tops_up_to_a_larger_size() -> None:
    call_command("seed", **SIZE)
    before = contents()["northside"][0]
    call_command("seed", **{**SIZE, "patients": 60})
    assert contents()["northside"][0][:20] == before
    assert len(contents()["northside"][0]) == 30


def test_seed_in_production_needs_a_password(settings: Any) -> None:
    settings.PRODUCTION = True
    with pytest.raises(CommandError, match="--password"):
        call_command("seed")


@pytest.mark.django_db
def test_seeded_logins_work_with_the_given_password() -> None:
    call_command("seed", **SIZE, password="Another-demo-2!")
    assert User.objects.get(email="owner@northside.test").check_password("Another-demo-2!")


@pytest.mark.django_db
def test_superuser_from_env_is_made_once(monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    with pytest.raises(CommandError, match="DJANGO_SUPERUSER_EMAIL"):
        call_command("create_superuser_from_env")
    monkeypatch.setenv("DJANGO_SUPERUSER_EMAIL", "Ops@example.test")
    monkeypatch.setenv("DJANGO_SUPERUSER_PASSWORD", "short")
    with pytest.raises(CommandError, match="short"):
        call_command("create_superuser_from_env")
    monkeypatch.setenv("DJANGO_SUPERUSER_PASSWORD", "a-long-enough-secret-9")
    call_command("create_superuser_from_env")
    call_command("create_superuser_from_env")
    [user] = User.objects.filter(email="ops@example.test")
    assert user.is_superuser
