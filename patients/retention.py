"""Which charts have been kept for as long as the practice keeps them. It only asks; `services.erasure` erases.

A chart is due when nothing about the patient was added or changed, and no visit took place, for the practice's
`retention_years`, and as many years have passed since they came of age. An open legal hold wins over all of it.
"""

from datetime import datetime, timedelta
from uuid import UUID

from dateutil.relativedelta import relativedelta
from django.db.models import Exists, OuterRef, Q
from django.utils import timezone

from patients.belongings import belongings
from patients.minors import MAJORITY, practice_day
from patients.models import LegalHold, Patient
from patients.querysets import PatientQuerySet
from practices.models import PracticePolicy

NOT_CARE = {"patients.accessgrant", "patients.legalhold", "patients.patientname", "integrations.patientexport"}
"""Tables that tell who had the chart, not that the patient was cared for."""


def retention_years(using: str = "default") -> int:
    """The practice's; 0 keeps everything for good."""
    years = PracticePolicy.objects.using(using).values_list("retention_years", flat=True).first()
    return int(PracticePolicy._meta.get_field("retention_years").default if years is None else years)


def over(years: int) -> PatientQuerySet:
    """Patients whose time is over, under a hold or not; whoever was merged into one goes with them."""
    now = timezone.now()
    cutoff = now - relativedelta(years=years)
    rows: PatientQuerySet = Patient.objects.filter(erased_at=None, merged_into=None)
    if years == 0:
        return rows.none()
    rows = rows.filter(_of_age_for(years), created_at__lt=cutoff, updated_at__lt=cutoff)
    rows = rows.exclude(deceased_at__gte=cutoff)
    for belonging in belongings()[1:]:
        if belonging.entity not in NOT_CARE:
            for path in belonging.paths:
                rows = rows.exclude(Exists(_lately(belonging.model, path, cutoff)))
    return rows


def _of_age_for(years: int) -> Q:
    """Surely so where only the month or year of birth is known, which is kept as its first day."""
    born = practice_day() - relativedelta(years=MAJORITY + years)
    after = born + timedelta(days=1)
    return (
        Q(birth_date=None)
        | Q(birth_date_precision=Patient.Precision.DAY, birth_date__lte=born)
        | Q(birth_date_precision=Patient.Precision.MONTH, birth_date__lt=after.replace(day=1))
        | Q(birth_date_precision=Patient.Precision.YEAR, birth_date__lt=after.replace(month=1, day=1))
    )


def _lately(model: type, path: str, cutoff: datetime) -> PatientQuerySet:
    names = {field.name for field in model._meta.concrete_fields}  # type: ignore[attr-defined]  # a model
    touched = Q(**{f"{name}__gte": cutoff for name in ("updated_at",) if name in names})
    if "start" in names:  # a visit may lie after all that was written about it
        touched |= Q(start__gte=cutoff)
    found: PatientQuerySet = model._default_manager.filter(touched, **{path: OuterRef("pk")})  # type: ignore[attr-defined]
    return found


def held() -> Exists:
    """Of patients."""
    return Exists(LegalHold.objects.filter(patient=OuterRef("pk"), released_at=None))


def page_after(rows: PatientQuerySet, last: UUID, size: int) -> list[UUID]:
    """The next ids in order."""
    return list(rows.filter(pk__gt=last).order_by("pk").values_list("pk", flat=True)[:size])
