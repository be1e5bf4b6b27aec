import copy
import pickle

import pytest
from django.core.exceptions import FieldError
from django.db import connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from patients.models import ContactPoint, Patient, PatientIdentifier
from practices import encryption
from practices.encryption import Ciphertext, EncryptedValueMisplaced, EncryptedValueUnreadable, EncryptionError
from practices.models import Practice, PracticeKey
from practices.tenancy import Actor, practice_scope

SETUP = Actor.system("tests")


@pytest.fixture
def patient(in_practice: Practice) -> Patient:
    ada: Patient = Patient.objects.create(given_name="Ada", family_name="Byron")
    return ada


def identifier(patient: Patient, value: str = "123-45-6789") -> PatientIdentifier:
    row = PatientIdentifier(patient=patient, type="SS", value=value)
    row.save()
    return row


def column(row: PatientIdentifier | ContactPoint) -> str:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT value FROM {row._meta.db_table} WHERE id = %s", [row.pk])  # our own names
        return str(cursor.fetchone()[0])


def put(row: PatientIdentifier | ContactPoint, raw: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE {row._meta.db_table} SET value = %s WHERE id = %s",  # our own names
            [raw, row.pk],
        )


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(value=st.text(min_size=1))
def test_value_survives_the_round_trip(patient: Patient, value: str) -> None:
    row = ContactPoint(patient=patient, kind="phone", value=value)
    row.save()
    assert ContactPoint.objects.get(pk=row.pk).value == value
    assert column(row).startswith("v1:1:")
    assert value not in column(row) or len(value) < 3


@pytest.mark.parametrize("value", ["", None])
def test_nothing_is_stored_as_it_is(patient: Patient, value: str | None) -> None:
    field = PatientIdentifier._meta.get_field("value")
    row = PatientIdentifier(patient=patient, type="SS")
    row.__dict__["value"] = value
    assert field.pre_save(row, add=True) == value
    assert field.get_prep_value(value) == value


def test_value_saved_again_keeps_its_ciphertext(patient: Patient) -> None:
    row = PatientIdentifier.objects.get(pk=identifier(patient).pk)
    before = column(row)
    row.save()
    row.value = "123-45-6789"
    row.save()
    assert column(row) == before
    row.value = "other"
    row.save()
    assert column(row) != before


def test_value_reads_back_after_save_refresh_defer_only_and_copy(patient: Patient) -> None:
    row = identifier(patient)
    rows = PatientIdentifier.objects
    assert row.value == "123-45-6789"
    row.refresh_from_db()
    assert row.value == "123-45-6789"
    assert rows.only("type").get().value == "123-45-6789"
    assert rows.defer("value").get().value == "123-45-6789"
    assert rows.only("value").get().value == "123-45-6789"
    assert copy.deepcopy(rows.get()).value == "123-45-6789"
    assert pickle.loads(pickle.dumps(rows.get())).value == "123-45-6789"  # noqa: S301  # our own bytes


def test_pickle_of_a_read_row_holds_no_plaintext(patient: Patient) -> None:
    row = PatientIdentifier.objects.get(pk=identifier(patient).pk)
    assert row.value == "123-45-6789"
    assert b"123-45" not in pickle.dumps(row)


def test_rows_are_decrypted_only_where_the_value_is_read(patient: Patient, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    real = encryption.fields._opened

    def recorded(raw: str, *place: str) -> str:
        opened.append(raw)
        return real(raw, *place)

    monkeypatch.setattr(encryption.fields, "_opened", recorded)
    identifier(patient)
    row = PatientIdentifier.objects.get()
    assert row.type == "SS"
    assert opened == []
    assert (row.value, row.value) == ("123-45-6789", "123-45-6789")
    assert len(opened) == 1


def test_values_are_opaque(patient: Patient) -> None:
    row = identifier(patient)
    [opaque] = PatientIdentifier.objects.values_list("value", flat=True)
    assert isinstance(opaque, Ciphertext)
    assert (repr(opaque), str(opaque), f"{opaque}") == ("<encrypted>",) * 3
    assert opaque.reveal(row.pk) == "123-45-6789"


def test_bulk_create_encrypts(patient: Patient) -> None:
    [row] = PatientIdentifier.objects.bulk_create([PatientIdentifier(patient=patient, type="DL", value="D1")])
    assert column(row).startswith("v1:1:")
    assert PatientIdentifier.objects.get().value == "D1"


def test_update_with_plaintext_is_refused(patient: Patient) -> None:
    row = identifier(patient)
    with pytest.raises(FieldError, match="save"):
        PatientIdentifier.objects.update(value="plain")
    row.value = "plain"
    with pytest.raises(FieldError, match="save"):
        PatientIdentifier.objects.bulk_update([row], ["value"])


@pytest.mark.parametrize(
    "lookup", ["value", "value__exact", "value__in", "value__contains", "value__gt", "value__lower"]
)
def test_filter_by_the_encrypted_value_is_refused(patient: Patient, lookup: str) -> None:
    with pytest.raises(FieldError, match="blind index"):
        PatientIdentifier.objects.filter(**{lookup: "x"}).exists()
    assert not PatientIdentifier.objects.filter(value__isnull=True).exists()


def test_ciphertext_moved_to_another_row_is_refused(patient: Patient) -> None:
    here, there = identifier(patient, "1"), identifier(patient, "2")
    put(there, column(here))
    with pytest.raises(EncryptedValueMisplaced):
        _ = PatientIdentifier.objects.get(pk=there.pk).value


def test_ciphertext_moved_to_another_table_or_column_is_refused(patient: Patient) -> None:
    row = identifier(patient)
    other = ContactPoint(pk=row.pk, patient=patient, kind="email", value="a@example.test")
    other.save(force_insert=True)
    put(other, column(row))
    with pytest.raises(EncryptedValueMisplaced):
        _ = ContactPoint.objects.get().value
    with pytest.raises(EncryptedValueMisplaced):
        Ciphertext(column(row), "patients_patientidentifier", "note").reveal(row.pk)


def test_ciphertext_moved_to_another_practice_is_refused(practice: Practice, other_practice: Practice) -> None:
    with practice_scope(practice, actor=SETUP):
        raw = column(identifier(Patient.objects.create(given_name="Ada", family_name="Byron")))
    with practice_scope(other_practice, actor=SETUP):
        put(identifier(Patient.objects.create(given_name="Ada", family_name="Byron")), raw)
        with pytest.raises(EncryptionError):
            _ = PatientIdentifier.objects.get().value


def test_ciphertext_of_another_practice_under_the_same_key_is_refused(patient: Patient) -> None:
    row = identifier(patient)
    ring = encryption.keys.ring_of(patient.practice_id)
    number, token = ring.encrypt(
        b'["00000000-0000-0000-0000-000000000001","patients_patientidentifier","value","%s","x"]' % str(row.pk).encode()
    )
    put(row, f"v1:{number}:{token.decode()}")
    with pytest.raises(EncryptedValueMisplaced):
        _ = PatientIdentifier.objects.get().value


@pytest.mark.parametrize("raw", ["plain", "v1:", "v1:x:y", "v1:1:garbage", "v1:7:garbage", "v2:1:x", "v1:1:é"])
def test_altered_ciphertext_is_refused(patient: Patient, raw: str) -> None:
    row = identifier(patient)
    put(row, raw)
    with pytest.raises(EncryptedValueUnreadable):
        _ = PatientIdentifier.objects.get().value


def test_blind_index_finds_the_value_however_it_is_written(patient: Patient) -> None:
    row = identifier(patient)
    assert PatientIdentifier.objects.of_value("123 45 6789").get() == row
    assert not PatientIdentifier.objects.of_value("123456780").exists()
    assert not PatientIdentifier.objects.of_value("--").exists()
    row.value = "AB-1"
    row.save(update_fields=["value"])
    assert PatientIdentifier.objects.of_value("ab1").get() == row


def test_blind_index_differs_between_practices_and_purposes(practice: Practice, other_practice: Practice) -> None:
    indexes = set()
    for each in (practice, other_practice):
        with practice_scope(each, actor=SETUP):
            assert encryption.blind_index("a", "x") == encryption.blind_index("a", "x")
            indexes |= {encryption.blind_index("a", "x"), encryption.blind_index("b", "x")}
    assert len(indexes) == 4


def test_shredded_values_are_gone_for_good(patient: Patient) -> None:
    identifier(patient)
    assert encryption.shred() == 2
    with pytest.raises(EncryptionError):
        _ = PatientIdentifier.objects.get().value
    assert set(PracticeKey.objects.values_list("wrapped", flat=True)) == {""}
    with pytest.raises(EncryptionError):
        identifier(patient, "new")
