"""Believable patients: ages as in a family practice, names from several languages, phones that are nobody's."""

from collections.abc import Callable, Iterator
from datetime import date, timedelta
from functools import partial
from itertools import islice
from random import Random
from typing import Any

from faker import Faker

from patients.models import ContactPoint, Patient

LOCALES = ["en_US", "en_GB", "de_DE", "es_ES", "fr_FR", "pl_PL", "pt_BR"]
# (share of patients, youngest, oldest): children and the old come more often than the years between.
AGES = ((0.18, 0, 11), (0.09, 12, 19), (0.28, 20, 44), (0.25, 45, 64), (0.16, 65, 82), (0.04, 83, 99))
BATCH = 2000


Person = tuple[Patient, list[ContactPoint]]


def patient_batches(slug: str, present: int, wanted: int, today: date) -> Iterator[list[Callable[[], Person]]]:
    """The practice's people number `present` to `wanted`, always the same ones for a slug, in batches to be saved."""
    people = islice(_people(slug, today), present, wanted)
    while batch := list(islice(people, BATCH)):
        yield batch


def save_patients(batch: list[Callable[[], Person]]) -> int:
    """Inside the practice's scope; four statements. Returns how many."""
    people = [make() for make in batch]
    Patient.objects.bulk_create([patient for patient, _ in people], batch_size=BATCH)
    ContactPoint.objects.bulk_create([point for _, points in people for point in points], batch_size=BATCH)
    return len(people)


def _people(slug: str, today: date) -> Iterator[Callable[[], Person]]:
    """Recipes: a row is made in its practice's scope, which it takes its practice from."""
    random = Random(f"patients of {slug}")  # noqa: S311  # the same people every time, no secrets
    fake = Faker(LOCALES, use_weighting=False)
    fake.seed_instance(random.getrandbits(32))
    number = 0
    while True:
        number += 1
        sex = random.choice(("female", "male"))
        fields = {
            "mrn": f"{slug[:1].upper()}{number:07}",
            "given_name": fake.first_name_female() if sex == "female" else fake.first_name_male(),
            "family_name": fake.last_name(),
            "birth_date": _birth_date(random, today),
            "sex": sex if random.random() > 0.01 else "other",
            "language": random.choice(("en", "en", "en", "es", "de", "fr", "pl")),
        }
        yield partial(_person, fields, dict(_contacts(random, number)))


def _person(fields: dict[str, Any], contacts: dict[str, str]) -> Person:
    patient = Patient(**fields)
    return patient, [
        ContactPoint(patient=patient, kind=kind, use="mobile" if kind == "phone" else "home", value=value)
        for kind, value in contacts.items()
    ]


def _birth_date(random: Random, today: date) -> date:
    _, youngest, oldest = random.choices(AGES, weights=[share for share, _, _ in AGES])[0]
    return today.replace(month=1, day=1) - timedelta(days=random.randint(youngest * 365, oldest * 365 + 364))


def _contacts(random: Random, number: int) -> Iterator[tuple[str, str]]:
    """Numbers from the range kept free for fiction (555-0100 to 0199), addresses below .test."""
    if random.random() < 0.95:
        area = random.choice((212, 312, 415, 617, 718))
        yield "phone", f"+1{area}55501{random.randint(0, 99):02}"
    if random.random() < 0.7:
        yield "email", f"patient{number}@example.test"
