"""Pages cost the same number of queries with one row and with thirty."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from appointments.models import Appointment
from patients.models import ContactPoint, Patient
from practices.admin.paginator import MAX_COUNTED, BoundedPaginator
from practices.models import Location, Practice, TenantModel
from practices.tenancy import practice_scope
from tests.admin.pages import ALL_ROLES, AdminClient, registered, staff, url
from tests.factories.patients import PatientFactory
from tests.rows import SETUP, make_row


def cost(client: AdminClient, address: str) -> int:
    with CaptureQueriesContext(connection) as queries:
        assert client.get(address).status_code == 200
    return len(queries)


def add_rows(model: Any, practice: Practice, count: int) -> None:
    with practice_scope(practice, actor=SETUP):
        for _ in range(count):
            make_row(model)


@pytest.mark.parametrize("model", [each for each in registered() if issubclass(each, TenantModel)], ids=str)
def test_list_costs_the_same_with_more_rows(model: Any, practice: Practice) -> None:
    client = staff(ALL_ROLES, practice)
    address = url(model, "changelist") + ("?when=all" if model is Appointment else "")
    if model._meta.model_name != "practicepolicy":
        add_rows(model, practice, 1)
    client.get(address)
    few = cost(client, address)
    if model._meta.model_name not in {"practicepolicy", "messagetemplate"}:
        add_rows(model, practice, 12)
    assert cost(client, address) == few
    assert few <= 20


def test_home_costs_the_same_on_a_busy_day(practice: Practice) -> None:
    client = staff("front_desk", practice)
    start = timezone.now()

    def visits(count: int) -> None:
        with practice_scope(practice, actor=SETUP):
            for _ in range(count):
                make_row(Appointment, start=start, end=start + timedelta(minutes=20))

    visits(1)
    few = cost(client, "/admin/")
    visits(12)
    assert cost(client, "/admin/") == few
    assert few <= 16
    assert len(client.get("/admin/").context["visits"]) == 13


def test_chart_costs_the_same_with_more_contact_points(practice: Practice) -> None:
    client = staff("front_desk", practice)
    with practice_scope(practice, actor=SETUP):
        patient = PatientFactory.create()
        make_row(ContactPoint, patient=patient)
    address = url(Patient, "change", patient.pk)
    client.get(address)
    few = cost(client, address)
    with practice_scope(practice, actor=SETUP):
        for _ in range(10):
            make_row(ContactPoint, patient=patient)
    assert cost(client, address) == few


def test_lists_are_counted_only_so_far(practice: Practice, monkeypatch: pytest.MonkeyPatch) -> None:
    assert MAX_COUNTED == 10_000
    monkeypatch.setattr("practices.admin.paginator.MAX_COUNTED", 3)
    with practice_scope(practice, actor=SETUP):
        for number in range(6):
            Location.objects.create(name=f"Place {number}")
        paginator = BoundedPaginator(Location.objects.order_by("name"), 2)
        assert (paginator.count, paginator.is_cut) == (4, True)
    assert "more than 3 locations" in staff("owner", practice).get(url(Location, "changelist")).content.decode()
