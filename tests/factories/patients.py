"""Patients and how they are reached, of the active scope's practice."""

from factory.declarations import SubFactory
from factory.django import DjangoModelFactory
from factory.faker import Faker

from patients.models import ContactPoint, Patient, PatientIdentifier


class PatientFactory(DjangoModelFactory[Patient]):
    class Meta:
        model = Patient

    given_name = Faker("first_name")
    family_name = Faker("last_name")
    birth_date = Faker("date_of_birth")


class ContactPointFactory(DjangoModelFactory[ContactPoint]):
    class Meta:
        model = ContactPoint

    patient = SubFactory(PatientFactory)
    kind = "phone"
    value = "+12025550100"


class PatientIdentifierFactory(DjangoModelFactory[PatientIdentifier]):
    class Meta:
        model = PatientIdentifier

    patient = SubFactory(PatientFactory)
    type = "SS"
    value = "123-45-6789"
