"""What is wrong with rows: by the rules of the API, and beside the patients who are there."""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache
from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError
from rest_framework.exceptions import ValidationError as FieldRefused

from patients.contact_values import normalised_email, normalised_phone
from patients.models import ContactPoint, Patient
from patients.serializers.patients import PatientCreateSerializer
from practices.tenancy import Actor

TRUTHS: dict[str, Any] = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
REASON = "Imported although a likely duplicate was there."


class Duplicates(StrEnum):
    """What becomes of rows that look like somebody who is there, or in the file before."""

    REFUSE = "refuse"
    SKIP = "skip"
    CREATE = "create"


@dataclass(slots=True)
class Checked:
    """A row: the patient that it makes, or what is wrong with it as (field, code)."""

    line: int
    patient: Patient | None = None
    contacts: dict[str, str] = field(default_factory=dict)
    errors: list[tuple[str, str]] = field(default_factory=list)
    skipped: bool = False

    @property
    def is_sound(self) -> bool:
        """Whether its patient is to be created."""
        return self.patient is not None and not self.errors and not self.skipped


def check(
    rows: Iterable[tuple[int, dict[str, str] | None]],
    *,
    region: str | None,
    duplicates: Duplicates,
    seen: set[int],
    by: Actor,
) -> list[Checked]:
    """Three statements, four when somebody has one of the numbers; in the practice's scope.

    `seen` remembers whom the file has had before.
    """
    checked = [_checked(line, cells, region) for line, cells in rows]
    sound = [each for each in checked if not each.errors]
    _check_numbers(sound, seen)
    _look_for_duplicates([each for each in sound if not each.errors], duplicates, seen, by)
    return checked


@cache
def _fields() -> dict[str, Any]:
    return dict(PatientCreateSerializer().fields)


def _checked(line: int, cells: dict[str, str] | None, region: str | None) -> Checked:
    if cells is None:
        return Checked(line, errors=[("", "wrong_number_of_cells")])
    row, values = Checked(line), {}
    for name, text in cells.items():
        if not text and name not in ("given_name", "family_name"):
            continue
        try:
            values[name] = _value(name, text, region)
        except FieldRefused as error:
            row.errors.append((name, _code_of(error)))
        except ValidationError as error:
            row.errors.append((name, str(error.code)))
    row.contacts = {name: values.pop(name) for name in ("phone", "email") if name in values}
    if not row.errors:
        row.patient = _patient(row, values)
    return row


def _value(name: str, text: str, region: str | None) -> Any:
    raw: Any = TRUTHS.get(text.lower(), text) if name == "restricted" else text
    value = _fields()[name].run_validation(raw)
    if name == "phone":
        return normalised_phone(value, region)
    return normalised_email(value) if name == "email" else value


def _code_of(error: FieldRefused) -> str:
    codes: Any = error.get_codes()
    while not isinstance(codes, str):
        codes = next(iter(codes.values() if isinstance(codes, dict) else codes))
    return codes


def _patient(row: Checked, values: dict[str, Any]) -> Patient:
    patient = Patient(**values)
    try:
        patient.clean()
    except ValidationError as error:
        row.errors += [(name, str(each.code)) for name, found in error.error_dict.items() for each in found]
    patient.prepare()
    return patient


def _check_numbers(rows: list[Checked], seen: set[int]) -> None:
    """An MRN is one patient's, whatever the policy says."""
    numbers = [each.patient.mrn for each in rows if each.patient]
    taken = set(Patient.objects.filter(mrn__in=numbers).values_list("mrn", flat=True))
    for row in rows:
        mrn = row.patient.mrn if row.patient else ""
        if mrn in taken or not _is_new(seen, "mrn", mrn):
            row.errors.append(("mrn", "unique"))


def _look_for_duplicates(rows: list[Checked], policy: Duplicates, seen: set[int], by: Actor) -> None:
    """The same name and birth date, or the same telephone, as when one patient is created."""
    field_of_index: Any = ContactPoint._meta.get_field("value_index")
    visible = Patient.objects.visible_to(by).exclude(status=Patient.Status.MERGED)
    patients = [each.patient for each in rows if each.patient]
    named = visible.filter(
        sort_name__in={each.sort_name for each in patients},
        birth_date__in={each.birth_date for each in patients if each.birth_date},
    )
    people = set(named.values_list("sort_name", "birth_date"))
    indexes = {phone: field_of_index.index_of(phone) for each in rows if (phone := each.contacts.get("phone"))}
    # Asked together, PostgreSQL reads every patient there is for each batch, beside five hundred numbers.
    points = ContactPoint.objects.filter(value_index__in=set(indexes.values())).values_list("value_index", "patient_id")
    owners = set(visible.filter(pk__in={owner for _, owner in points}).values_list("pk", flat=True))
    phones = {index for index, owner in points if owner in owners}
    for row in rows:
        patient, phone = row.patient, row.contacts.get("phone", "")
        person = (patient.sort_name, patient.birth_date) if patient and patient.birth_date else None
        here = person in people or (phone and indexes[phone] in phones)
        new = [_is_new(seen, "person", person), _is_new(seen, "phone", phone)]
        if here or not all(new):
            _apply(policy, row)


def likenesses(row: Checked) -> Iterator[int]:
    """A number for each thing that makes somebody else a likely duplicate of the row's patient."""
    if row.patient is not None and row.patient.birth_date is not None:
        yield hash((row.patient.sort_name, row.patient.birth_date))
    if phone := row.contacts.get("phone"):
        yield hash(phone)


def is_any_like(patients: Collection[UUID], known: set[int]) -> bool:
    """Whether one of these patients is a likely duplicate by `likenesses` known. Two statements."""
    people = Patient.objects.filter(pk__in=patients).values_list("sort_name", "birth_date")
    points = ContactPoint.objects.filter(patient__in=patients, kind=ContactPoint.Kind.PHONE)
    return not known.isdisjoint(map(hash, [*people, *(point.value for point in points)]))


def _apply(policy: Duplicates, row: Checked) -> None:
    if policy is Duplicates.REFUSE:
        row.errors.append(("", "possible_duplicate"))
    elif policy is Duplicates.SKIP:
        row.skipped = True
    elif row.patient:
        row.patient.duplicate_reason = REASON


def _is_new(seen: set[int], kind: str, value: Any) -> bool:
    """A number for each value: that two values share one is as likely as not in some billions."""
    if not value:
        return True
    key = hash((kind, value))
    known = key in seen
    seen.add(key)
    return not known
