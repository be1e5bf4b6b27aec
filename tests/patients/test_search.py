import json
from collections.abc import Iterable

import pytest
from django.db import connection, models

from patients.models import Patient, PatientName
from patients.names import normalise
from practices.models import Practice
from practices.tenancy import Actor, practice_scope

SETUP = Actor.system("tests")


def names(rows: Iterable[Patient]) -> list[str]:
    return [str(row) for row in rows]


@pytest.mark.parametrize(
    ("written", "normalised"),
    [
        ("Zoë  O'Neill-Łoś", "zoe oneill los"),
        ("STRAẞE", "strasse"),
        ("  D\u2019Angelo ", "dangelo"),
        ("Ødegård", "odegard"),
        ("İpek Y\u0131ld\u0131z", "ipek yildiz"),
        ("李小龍", "李小龍"),
        ("--", ""),
    ],
)
def test_name_normalised(written: str, normalised: str) -> None:
    assert normalise(written) == normalised


@pytest.mark.usefixtures("in_practice")
@pytest.mark.parametrize("text", ["zoe", "ZOË", "los", "o'neill", "ONEI", "zoe los", "lo zo", "mimi"])
def test_search_finds_any_word_by_its_beginning(text: str) -> None:
    Patient.objects.create(given_name="Zoë", family_name="O'Neill-Łoś", preferred_name="Mimi")
    Patient.objects.create(given_name="Ada", family_name="Byron")
    assert names(Patient.objects.search(text)) == ["O'Neill-Łoś, Zoë"]


@pytest.mark.usefixtures("in_practice")
@pytest.mark.parametrize("text", ["oe", "neill", "zoe byron", "%", "_oe", "", "'", "\\", "zoe zoe2"])
def test_search_for_what_no_word_begins_with_finds_nobody(text: str) -> None:
    Patient.objects.create(given_name="Zoë", family_name="O'Neill-Łoś")
    Patient.objects.create(given_name="Ada", family_name="Byron")
    assert names(Patient.objects.search(text)) == []


@pytest.mark.usefixtures("in_practice")
def test_search_after_a_change_of_name_finds_only_the_new_one() -> None:
    patient = Patient.objects.create(given_name="Ada", family_name="Byron")
    patient = Patient.objects.get(pk=patient.pk)
    patient.family_name = "Lovelace"
    patient.save(update_fields=["family_name"])
    assert names(Patient.objects.search("love")) == ["Lovelace, Ada"]
    assert names(Patient.objects.search("byr")) == []
    assert set(PatientName.objects.values_list("word", flat=True)) == {"ada", "lovelace"}


@pytest.mark.usefixtures("in_practice")
def test_search_finds_patients_created_in_bulk() -> None:
    Patient.objects.bulk_create(
        [Patient(given_name="Ada", family_name="Byron"), Patient(given_name="Bo", family_name="Ek")]
    )
    assert names(Patient.objects.search("by")) == ["Byron, Ada"]


@pytest.mark.usefixtures("in_practice")
def test_update_of_a_name_without_save_is_refused() -> None:
    with pytest.raises(ValueError, match="family_name"):
        Patient.objects.update(family_name="x")


def test_search_in_another_practice_finds_nobody(practice: Practice, other_practice: Practice) -> None:
    with practice_scope(practice, actor=SETUP):
        Patient.objects.create(given_name="Ada", family_name="Byron")
    with practice_scope(other_practice, actor=SETUP):
        assert names(Patient.objects.search("ada")) == []


def plan_of(rows: models.QuerySet[Patient]) -> str:
    return json.dumps(json.loads(rows.explain(format="json")))


@pytest.mark.usefixtures("in_practice")
def test_search_among_twenty_thousand_uses_the_index_under_the_row_policy() -> None:
    Patient.objects.bulk_create(
        [Patient(given_name=f"given{n:05}", family_name=f"family{n:05}") for n in range(20_000)], batch_size=2000
    )
    with connection.cursor() as cursor:
        cursor.execute("SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = current_user")
        assert cursor.fetchone() == (False,)
    plan = plan_of(Patient.objects.search("family0012 given001").order_by("sort_name", "id")[:50])
    assert "patient_name_word_unique" in plan
    assert "Seq Scan" not in plan
