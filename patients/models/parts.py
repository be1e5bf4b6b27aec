"""What all that hangs on a patient has in common."""

from typing import Any

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import F, Q

from practices.models import VersionedModel
from practices.querysets import ModelT_co, TenantQuerySet


class PatientPart(VersionedModel):
    """A row of one patient's chart. `patient` is each model's own key; `clean` holds the rules that need other rows,
    and is called with the patient locked.
    """

    patient: Any

    class Meta:
        abstract = True


class MovedOnly(TenantQuerySet[ModelT_co]):
    """For rows that are written once: all that can happen to them together is that their charts are merged."""

    def update(self, **kwargs: Any) -> int:
        if not {"patient", "patient_id"}.issuperset(kwargs):
            raise TypeError(f"{self.model._meta.verbose_name_plural} are not edited once they are written.")
        return super().update(**kwargs)

    def delete(self) -> tuple[int, dict[str, int]]:
        raise TypeError(f"{self.model._meta.verbose_name_plural} are not deleted.")

    update.alters_data = True  # type: ignore[attr-defined]  # Django's mark that templates may not call it
    delete.alters_data = True  # type: ignore[attr-defined]


def one_of(field: str, values: list[str], name: str) -> models.CheckConstraint:
    """The column holds one of these."""
    return models.CheckConstraint(condition=Q(**{f"{field}__in": values}), name=name)


def ordered_period(name: str) -> models.CheckConstraint:
    """A period doesn't end before it starts; either end may be open."""
    open_end = Q(period_start__isnull=True) | Q(period_end__isnull=True)
    return models.CheckConstraint(
        condition=open_end | Q(period_end__gte=F("period_start")),
        name=name,
        violation_error_code="period",
        violation_error_message="The period ends before it starts.",
    )


def refused(field: str, code: str, sentence: str) -> ValidationError:
    return ValidationError({field: ValidationError(sentence, code=code)})
