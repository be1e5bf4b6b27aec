"""What hangs on the first patients of a practice, so that a chart can be looked at. The same every time."""

from datetime import UTC, date, datetime, timedelta
from uuid import UUID

from patients import services
from patients.models import (
    Address,
    Alert,
    Allergy,
    Coverage,
    MedicationStatement,
    Patient,
    PatientTag,
    RelatedPerson,
    Tag,
)
from practices.tenancy import Actor

CHARTS = 20
PAYERS = (("Harbor Health", "Silver"), ("Northern Mutual", "Family"), ("Public plan", ""))
SUBSTANCES = (("Penicillin", "medication", "high", "Hives"), ("Peanut", "food", "high", "Swelling"))
MEDICINES = (("Lisinopril 10 mg", "1 tablet in the morning"), ("Metformin 500 mg", "1 tablet twice a day"))
NOTE = "Comes for a check-up. Feels well, sleeps well.\nBlood pressure 128/82. Next visit in a year."


def seed_charts(author: UUID, city: str, today: date) -> None:
    """Of the first patients that have no address yet; `author` is who wrote their notes."""
    by = Actor.user(author, ("provider",), "seed")
    tags = [_tag(name, colour) for name, colour in (("Recall", "#b45309"), ("Interpreter", "#1d4ed8"))]
    first = Patient.objects.filter(status="active").order_by("mrn")[:CHARTS]
    for number, patient in enumerate(first.prefetch_related("addresses")):
        if not patient.addresses.all():
            _chart(patient, number, by, city, today, tags[number % 2])


def _chart(patient: Patient, number: int, by: Actor, city: str, today: date, tag: Tag) -> None:
    since = today.replace(month=1, day=1)
    payer, plan = PAYERS[number % len(PAYERS)]
    services.add(row=Address(patient=patient, line1=f"{number + 1} Elm Street", city=city, country="US"), by=by)
    services.add(row=_relative(patient, number, today), by=by)
    coverage = Coverage(patient=patient, payer=payer, plan=plan, member_id=f"M{number:06}", period_start=since)
    services.add(row=coverage, by=by)
    for kind in ("privacy", "treatment", "sms" if number % 4 else "email"):
        at = datetime(since.year, 1, 1, 15, tzinfo=UTC)
        services.record_consent(patient=patient, by=by, kind=kind, status="given", at=at)
    if number % 2 == 0:
        _findings(patient, number // 2, by, since)
        services.add(row=PatientTag(patient=patient, tag=tag), by=by)
    services.sign_note(note=services.write_note(patient=patient, by=by, title="Check-up", text=NOTE), by=by)


def _relative(patient: Patient, number: int, today: date) -> RelatedPerson:
    """A parent who decides for a child, somebody to call for the others."""
    is_child = patient.birth_date is not None and patient.birth_date > today - timedelta(days=18 * 365)
    return RelatedPerson(
        patient=patient,
        given_name=("Robin", "Alex", "Kim")[number % 3],
        family_name=patient.family_name,
        relationship="PRN" if is_child else "SPS",
        phone=f"+1212555{100 + number:04}",
        guardian=is_child,
        emergency=True,
        authority="full" if is_child else "information",
    )


def _findings(patient: Patient, number: int, by: Actor, since: date) -> None:
    substance, category, criticality, reaction = SUBSTANCES[number % len(SUBSTANCES)]
    medicine, dosage = MEDICINES[number % len(MEDICINES)]
    allergy = Allergy(
        patient=patient, substance=substance, category=category, criticality=criticality, reaction=reaction
    )
    services.add(row=allergy, by=by)
    medication = MedicationStatement(patient=patient, medication=medicine, dosage=dosage, period_start=since)
    services.add(row=medication, by=by)
    services.add(row=Alert(patient=patient, text="Hard of hearing: speak slowly.", severity="moderate"), by=by)


def _tag(name: str, colour: str) -> Tag:
    found: Tag = Tag.objects.filter(name=name).first() or Tag.objects.create(name=name, colour=colour)
    return found
