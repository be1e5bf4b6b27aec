import threading
from datetime import timedelta
from io import StringIO

import pytest
from cryptography.fernet import Fernet
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django.fixtures import Settings

from accounts.models import TotpDevice
from accounts.second_factor import SECRET
from patients.models import Patient, PatientIdentifier
from practices.encryption import EncryptedValueUnreadable, KeysDestroyed, KeyUnreadable, keys, rotation
from practices.models import Practice, PracticeKey
from practices.tenancy import Actor, ScopeError, identity_scope, practice_scope
from tests.factories.accounts import UserFactory
from tests.factories.second_factor import TOTP_SECRET, enrol

SETUP = Actor.system("tests")
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keys, "KEY_CACHE_SECONDS", -1.0)
    monkeypatch.setattr(rotation, "PATIENCE_SECONDS", 0.01)


@pytest.fixture
def rows(practice: Practice, other_practice: Practice) -> list[PatientIdentifier]:
    """Twenty values of one practice; the other has one."""
    with practice_scope(other_practice, actor=SETUP):
        patient = Patient.objects.create(given_name="Bo", family_name="Ek")
        PatientIdentifier.objects.create(patient=patient, type="DL", value="theirs")
    with practice_scope(practice, actor=SETUP):
        patient = Patient.objects.create(given_name="Ada", family_name="Byron")
        return [PatientIdentifier.objects.create(patient=patient, type="DL", value=f"D-{n}") for n in range(20)]


def rotate(*arguments: str) -> str:
    out = StringIO()
    call_command("rotate_field_keys", *arguments, stdout=out)
    return out.getvalue()


def state(practice: Practice) -> tuple[list[str], set[int]]:
    """The values, and the numbers of the keys that they are under."""
    with practice_scope(practice, actor=SETUP):
        found = list(PatientIdentifier.objects.order_by("id"))
        numbers = {row.__dict__["value"].key_number for row in found}
        return [row.value for row in found], numbers


VALUES = [f"D-{n}" for n in range(20)]


def test_rewrapped_keys_need_only_the_new_installation_key(
    practice: Practice, rows: list[PatientIdentifier], settings: Settings
) -> None:
    new = Fernet.generate_key().decode()
    settings.FIELD_ENCRYPTION_KEYS = [new, *settings.FIELD_ENCRYPTION_KEYS]
    assert "4 keys rewrapped" in rotate()
    assert "0 keys rewrapped" in rotate()
    settings.FIELD_ENCRYPTION_KEYS = [new]
    assert state(practice) == (VALUES, {1})


def test_keys_of_an_unknown_installation_key_are_unreadable(
    practice: Practice, rows: list[PatientIdentifier], settings: Settings
) -> None:
    settings.FIELD_ENCRYPTION_KEYS = [Fernet.generate_key().decode()]
    with pytest.raises(KeyUnreadable):
        state(practice)


def test_data_keys_are_replaced_in_every_practice(
    practice: Practice, other_practice: Practice, rows: list[PatientIdentifier]
) -> None:
    assert "21 values re-encrypted in 2 practices" in rotate("--data", "--batch-size", "3")
    assert state(practice) == (VALUES, {2})
    assert state(other_practice) == (["theirs"], {2})
    with practice_scope(practice, actor=SETUP):
        assert {row.version for row in PatientIdentifier.objects.all()} == {1}
        assert PatientIdentifier.objects.of_value("D-7").get().value == "D-7"


def test_data_key_of_one_practice_is_replaced(
    practice: Practice, other_practice: Practice, rows: list[PatientIdentifier]
) -> None:
    assert "20 values" in rotate("--data", "--practice", "alder")
    assert state(other_practice) == (["theirs"], {1})
    with pytest.raises(CommandError, match="no practice"):
        rotate("--practice", "nowhere")


def test_interrupted_rotation_is_resumed(practice: Practice, rows: list[PatientIdentifier]) -> None:
    def interrupt(done: int) -> None:
        raise KeyboardInterrupt

    begun = rotation.begin(practice.pk)
    assert begun is not None
    with pytest.raises(KeyboardInterrupt):
        rotation.reencrypt(begun, batch_size=7, on_rows=interrupt)
    assert state(practice) == (VALUES, {1, 2})
    assert rotation.remaining(begun) == 13
    assert "13 values" in rotate("--data", "--practice", "alder")
    assert state(practice) == (VALUES, {2})
    assert "20 values" in rotate("--data", "--practice", "alder")
    assert state(practice) == (VALUES, {3})


def test_edits_during_a_rotation_are_kept(practice: Practice, rows: list[PatientIdentifier]) -> None:
    stop = threading.Event()
    written: dict[int, str] = {}
    failures: list[BaseException] = []

    def edit(share: list[int]) -> None:
        turn = 0
        try:
            while not stop.is_set() or not written.keys() >= set(share):
                turn += 1
                for n in share:
                    with practice_scope(practice, actor=SETUP):
                        row = PatientIdentifier.objects.get(pk=rows[n].pk)
                        row.value = f"{n}-{turn}"
                        row.save()
                    written[n] = f"{n}-{turn}"
        except BaseException as failure:
            failures.append(failure)
        finally:
            connection.close()

    writers = [threading.Thread(target=edit, args=(list(range(start, 20, 3)),)) for start in range(2)]
    for writer in writers:
        writer.start()
    try:
        for _ in range(3):
            rotate("--data", "--batch-size", "2", "--practice", "alder")
    finally:
        stop.set()
        for writer in writers:
            writer.join()
    assert failures == []
    values, numbers = state(practice)
    assert values == [written.get(n, f"D-{n}") for n in range(20)]
    assert numbers == {4}


def test_retired_key_is_destroyed_after_a_day_only(practice: Practice, rows: list[PatientIdentifier]) -> None:
    assert "0 old keys destroyed" in rotate("--data", "--practice", "alder")
    assert "0 old keys destroyed" in rotate("--data", "--practice", "alder")
    with practice_scope(practice, actor=SETUP):
        PracticeKey.objects.filter(number=1, kind="data").update(retired_at=timezone.now() - timedelta(days=2))
    assert "1 old keys destroyed" in rotate("--data", "--practice", "alder")
    assert state(practice) == (VALUES, {4})


def test_unreadable_value_is_left_alone_and_its_key_kept(practice: Practice, rows: list[PatientIdentifier]) -> None:
    with practice_scope(practice, actor=SETUP), connection.cursor() as cursor:
        cursor.execute("UPDATE patients_patientidentifier SET value = 'v1:1:x' WHERE id = %s", [rows[0].pk])
    with pytest.raises(CommandError, match="1 values"):
        rotate("--data", "--practice", "alder")
    with practice_scope(practice, actor=SETUP):
        assert PracticeKey.objects.get(kind="data", number=1).retired_at is None
        assert PatientIdentifier.objects.get(pk=rows[1].pk).value == "D-1"


def test_practice_without_keys_is_passed_over(practice: Practice) -> None:
    assert "0 values re-encrypted in 0 practices" in rotate("--data")


def test_keys_made_in_a_transaction_that_was_rolled_back_are_forgotten(practice: Practice) -> None:
    with pytest.raises(ZeroDivisionError), practice_scope(practice, actor=SETUP):
        first = keys.ring_of(practice.pk)
        raise ZeroDivisionError
    with practice_scope(practice, actor=SETUP):
        with pytest.raises(ZeroDivisionError), transaction.atomic():
            second = keys.ring_of(practice.pk)
            raise ZeroDivisionError
        third = keys.ring_of(practice.pk)
        assert keys.ring_of(practice.pk) is third
    with practice_scope(practice, actor=SETUP):
        fourth = keys.ring_of(practice.pk)
    assert len({first.index, second.index, third.index}) == 3
    assert fourth.index == third.index


def test_scope_lets_go_of_keys_that_are_changed_within_it(
    practice: Practice, rows: list[PatientIdentifier], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keys, "KEY_CACHE_SECONDS", 60.0)

    def value() -> str:
        found: str = PatientIdentifier.objects.get(pk=rows[0].pk).value
        return found

    with practice_scope(practice, actor=SETUP):
        known, first = value(), keys.active_ring()
        assert keys.active_ring() is first
        with transaction.atomic():
            assert keys.add_data_key() == keys.active_ring().number == first.number + 1
        with pytest.raises(ZeroDivisionError), transaction.atomic():
            keys.shred()
            with pytest.raises(KeysDestroyed):
                value()
            raise ZeroDivisionError
        assert (value(), keys.active_ring().number) == (known, first.number + 1)
        with practice_scope(practice, actor=SETUP):
            keys.shred()
        with pytest.raises(KeysDestroyed):
            value()


def test_first_keys_are_made_once_by_many_at_the_same_time(practice: Practice) -> None:
    rings: list[bytes] = []
    together = threading.Barrier(4)

    def use() -> None:
        try:
            with practice_scope(practice, actor=SETUP):
                together.wait()
                rings.append(keys.ring_of(practice.pk).index)
        finally:
            connection.close()

    threads = [threading.Thread(target=use) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(rings) == 4
    assert len(set(rings)) == 1


def test_opened_keys_are_kept_for_a_moment_and_for_so_many_practices(
    practice: Practice, other_practice: Practice, rows: list[PatientIdentifier], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keys, "KEY_CACHE_SECONDS", 60.0)
    monkeypatch.setattr(keys, "KEY_CACHE_PRACTICES", 1)

    def cost(of: Practice) -> int:
        with practice_scope(of, actor=SETUP), CaptureQueriesContext(connection) as captured:
            keys.ring_of(of.pk)
        return len(captured)

    assert [cost(practice), cost(practice), cost(other_practice), cost(other_practice), cost(practice)] == [
        1,
        0,
        1,
        0,
        1,
    ]
    keys.forget(practice.pk)
    assert cost(practice) == 1
    with practice_scope(practice, actor=SETUP), pytest.raises(ScopeError):
        keys.ring_of(other_practice.pk)


def test_keys_that_are_over_leave_memory_with_what_they_opened(
    practice: Practice, other_practice: Practice, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys._cache.clear()
    for of in (practice, other_practice, practice, other_practice):  # made, then read
        monkeypatch.setattr(keys, "KEY_CACHE_SECONDS", 60.0 if of == other_practice else -1.0)
        with practice_scope(of, actor=SETUP):
            keys.ring_of(of.pk)
    assert practice.pk not in keys._cache
    assert other_practice.pk in keys._cache


def test_secrets_of_users_need_only_the_new_installation_key(practice: Practice, settings: Settings) -> None:
    users = [UserFactory.create() for _ in range(3)]
    for user in users:
        enrol(user)
    new = Fernet.generate_key().decode()
    settings.FIELD_ENCRYPTION_KEYS = [new, *settings.FIELD_ENCRYPTION_KEYS]
    assert "3 secrets of users rewrapped" in rotate("--batch-size", "2")
    assert "0 secrets of users rewrapped" in rotate()
    settings.FIELD_ENCRYPTION_KEYS = [new]
    for user in users:
        with identity_scope(user.pk):
            assert SECRET.open(TotpDevice.objects.get(user=user)) == TOTP_SECRET
    settings.FIELD_ENCRYPTION_KEYS = [Fernet.generate_key().decode()]
    with pytest.raises(EncryptedValueUnreadable):
        rotate()
