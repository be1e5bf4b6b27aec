"""The admin's first page: the day in a practice, or what there is on the platform."""

from collections import Counter
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone

from accounts.admin_site import current_practice
from accounts.models import User
from accounts.roles import Access, Area, allowed
from appointments.admin.appointment import HIDDEN, STATUS_COLOURS, local_time, sees, status_name
from appointments.models import Appointment
from appointments.transitions import Action, Status
from patients.models import Patient
from patients.signals import patient_data_read
from practices.models import Practice
from practices.tenancy import current_actor

SHOWN = 200
"""Visits of a day on the page; the list has the rest."""
QUICK = {Action.ARRIVE: "Arrived", Action.CHECK_IN: "Check in", Action.FULFILL: "Complete"}
TILES = (
    ("Still to come", (Status.BOOKED,)),
    ("Waiting", (Status.ARRIVED, Status.CHECKED_IN)),
    ("Completed", (Status.FULFILLED,)),
    ("Cancelled", (Status.CANCELLED,)),
    ("No-shows", (Status.NO_SHOW,)),
)


def dashboard(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """unfold's hook. At most three queries."""
    if current_practice(request) is None:
        return {**context, "tiles": _platform_tiles()}
    roles = current_actor().roles
    now = timezone.localtime()
    tiles: list[dict[str, Any]] = []
    if allowed(roles, Area.APPOINTMENTS, Access.READ):
        visits = list(_today(now)[:SHOWN])
        patient_data_read.send(Appointment, patient_ids=[each.patient_id for each in visits if sees(each.patient)])
        context |= {"visits": [_line(visit, roles, now) for visit in visits], "shown": SHOWN}
        tiles = _visit_tiles(now)
    if allowed(roles, Area.PATIENTS, Access.READ):
        tiles.append({"title": "New patients this week", "number": _new_patients(now)})
    return {**context, "tiles": tiles, "now": now, "may_book": allowed(roles, Area.APPOINTMENTS, Access.WRITE)}


def _bounds(now: datetime) -> tuple[datetime, datetime]:
    """Of the day, by the practice's clock."""
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    tomorrow = (midnight.replace(tzinfo=None) + timedelta(days=1)).replace(tzinfo=timezone.get_current_timezone())
    return midnight, tomorrow


def _today(now: datetime) -> Any:
    first, last = _bounds(now)
    rows = Appointment.objects.filter(start__gte=first, start__lt=last).exclude(status=Status.ENTERED_IN_ERROR)
    return rows.select_related("patient", "provider", "appointment_type").order_by("start", "id")


def _line(visit: Appointment, roles: tuple[str, ...], now: datetime) -> dict[str, Any]:
    url = reverse("admin:appointments_appointment_change", args=[visit.pk])
    quick = None
    if allowed(roles, Area.APPOINTMENTS, Access.WRITE) and sees(visit.patient):
        possible = visit.allowed_transitions(now)
        action = next((each for each in QUICK if each in possible), None)
        if action is not None:
            do = reverse("admin:appointments_appointment_do", args=[visit.pk, action.value])
            quick = {"label": QUICK[action], "url": do}
    return {
        "visit": visit,
        "url": url,
        "time": local_time(visit).rpartition(", ")[2],
        "patient": str(visit.patient) if sees(visit.patient) else HIDDEN,
        "status": status_name(visit.status),
        "colour": STATUS_COLOURS[visit.status],
        "quick": quick,
        "is_over": visit.status in {Status.CANCELLED, Status.NO_SHOW, Status.FULFILLED},
    }


def _visit_tiles(now: datetime) -> list[dict[str, Any]]:
    counts = Counter(_today(now).order_by().values_list("status", flat=True))
    return [{"title": title, "number": sum(counts[each] for each in statuses)} for title, statuses in TILES]


def _new_patients(now: datetime) -> int:
    """Since Monday. Ids begin with the time they were made at, and are indexed."""
    monday = now - timedelta(days=now.weekday())
    first = monday.replace(hour=0, minute=0, second=0, microsecond=0)
    least = UUID(int=int(first.timestamp() * 1000) << 80)
    return Patient.objects.visible_to(current_actor()).filter(pk__gte=least).count()


def _platform_tiles() -> list[dict[str, Any]]:
    return [
        {"title": "Active practices", "number": Practice.objects.filter(status=Practice.Status.ACTIVE).count()},
        {"title": "All practices", "number": Practice.objects.count()},
        {"title": "Active users", "number": User.objects.filter(is_active=True).count()},
    ]
