"""Who is a minor, and who decides for them, on a day of the practice's calendar."""

from calendar import monthrange
from datetime import date
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from django.db.models import Q
from django.utils import timezone

from practices.models import Practice
from practices.tenancy import active_practice_id

if TYPE_CHECKING:
    from patients.models import Patient, RelatedPerson

MAJORITY = 18


def practice_day() -> date:
    """Today on the active practice's calendar. One query."""
    zone: str = Practice.objects.values_list("time_zone", flat=True).get(pk=active_practice_id())
    return timezone.now().astimezone(ZoneInfo(zone)).date()


def age_on(born: date, day: date) -> int:
    """In whole years. Who was born on 29 February has their birthday on 1 March in other years."""
    return day.year - born.year - ((day.month, day.day) < (born.month, born.day))


def is_minor_on(patient: "Patient", day: date) -> bool:
    """Until it is sure that they are of age, where only the month or year of birth is known; unknown: of age."""
    born = patient.birth_date
    if born is None:
        return False
    if patient.birth_date_precision == "year":
        born = born.replace(month=12)
    if patient.birth_date_precision != "day":
        born = born.replace(day=monthrange(born.year, born.month)[1])
    return age_on(born, day) < MAJORITY


def guardians_on(patient: "Patient", day: date) -> "list[RelatedPerson]":
    """Who decides for the patient on this day, those with full authority first. One query."""
    begun = Q(period_start__isnull=True) | Q(period_start__lte=day)
    going_on = Q(period_end__isnull=True) | Q(period_end__gte=day)
    return list(patient.related_persons.filter(begun, going_on, guardian=True).order_by("authority", "id"))
