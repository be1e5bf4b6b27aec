"""Each way to write a row leaves its event, in the transaction that writes it and only if that commits."""

import re
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.apps import apps
from django.contrib.postgres.fields import ArrayField
from django.db import connection, models, transaction
from django.test.utils import CaptureQueriesContext

from accounts.models import User
from audit.changes import CLINICAL_AREAS, created
from audit.models import AuditEvent, PlatformAuditEvent
from audit.recording import NoActor
from patients.belongings import belongings
from patients.models import Patient
from practices.encryption import BlindIndexField, EncryptedTextField
from practices.models import Closure, Location, Practice, Resource
from practices.tenancy import ANONYMOUS, Actor, platform_scope, practice_scope

USER = uuid4()
BY = Actor(kind="user", id=USER, label="Robin", roles=("admin", "provider"))
WATCHER = Actor.system("watcher")


@pytest.fixture
def location(practice: Practice) -> Location:
    with practice_scope(practice, actor=WATCHER):
        made: Location = Location.objects.create(name="Main", city="Troy")
    return made


def events(practice: Practice, **filters: Any) -> list[AuditEvent]:
    """Oldest first, without those of the fixtures."""
    with practice_scope(practice, actor=WATCHER):
        found: list[AuditEvent] = list(
            AuditEvent.objects.filter(**filters).exclude(actor_label__in=["watcher", "tests"]).order_by("at", "id")
        )
    return found


def told(practice: Practice, **filters: Any) -> list[tuple[str, str, UUID | None, dict[str, Any]]]:
    return [(each.action, each.entity, each.entity_id, each.changes) for each in events(practice, **filters)]


def test_create_names_actor_request_and_values(practice: Practice) -> None:
    with practice_scope(practice, actor=BY, request_id="r-1", ip="192.0.2.7") as scope:
        location = Location.objects.create(name="Main")
        scope.operation = "POST location-list"
    (event,) = events(practice)
    assert (event.actor_kind, event.actor_id, event.actor_label, event.roles) == ("user", USER, "Robin", list(BY.roles))
    assert (event.request_id, event.ip, event.operation) == ("r-1", "192.0.2.7", "POST location-list")
    assert (event.action, event.entity, event.entity_id) == ("create", "practices.location", location.pk)
    assert event.changes == {"name": [None, "Main"], "active": [None, True]}
    assert event.practice_id == practice.pk


def test_save_tells_only_what_changed(practice: Practice, location: Location) -> None:
    with practice_scope(practice, actor=BY):
        row = Location.objects.get(pk=location.pk)
        row.name = "Annex"
        row.save()
    assert told(practice) == [("update", "practices.location", location.pk, {"name": ["Main", "Annex"]})]


def test_save_with_update_fields_leaves_the_others_for_later(practice: Practice, location: Location) -> None:
    with practice_scope(practice, actor=BY):
        location.name, location.city = "Annex", "Utica"
        location.save(update_fields=["name"])
        location.save()
    assert [changes for *_, changes in told(practice)] == [{"name": ["Main", "Annex"]}, {"city": ["Troy", "Utica"]}]


def test_refresh_makes_somebody_elses_change_no_change_of_ours(practice: Practice, location: Location) -> None:
    with practice_scope(practice, actor=WATCHER):
        mine = Location.objects.get(pk=location.pk)
        Location.objects.filter(pk=location.pk).update(city="Utica")
    with practice_scope(practice, actor=BY):
        mine.refresh_from_db()
        mine.name = "Annex"
        mine.save()
    assert [changes for *_, changes in told(practice)] == [{"name": ["Main", "Annex"]}]


def test_queryset_update_tells_each_row(practice: Practice, location: Location) -> None:
    with practice_scope(practice, actor=BY):
        assert Location.objects.filter(name="Main").update(name="Annex") == 1
        assert Location.objects.filter(name="Nowhere").update(name="Annex") == 0
    assert told(practice) == [("update", "practices.location", location.pk, {"name": ["Main", "Annex"]})]


def test_bulk_create_and_bulk_update_tell_each_row(practice: Practice) -> None:
    with practice_scope(practice, actor=BY):
        rows = Location.objects.bulk_create([Location(name="A"), Location(name="B")])
        for row in rows:
            row.city = f"{row.name} City"
        Location.objects.bulk_update(rows, ["city"])
    made, changed = told(practice, action="create"), told(practice, action="update")
    assert [(entity_id, changes["name"]) for *_, entity_id, changes in made] == [
        (row.pk, [None, row.name]) for row in rows
    ]
    assert {entity_id: changes for *_, entity_id, changes in changed} == {
        row.pk: {"city": ["", f"{row.name} City"]} for row in rows
    }


def test_save_after_bulk_create_knows_the_values_before(practice: Practice) -> None:
    with practice_scope(practice, actor=BY):
        (row,) = Location.objects.bulk_create([Location(name="A")])
        row.name = "B"
        row.save()
    assert told(practice, action="update") == [("update", "practices.location", row.pk, {"name": ["A", "B"]})]


@pytest.mark.parametrize("way", ["instance", "queryset"])
def test_delete_tells_what_is_gone_with_its_cascade(practice: Practice, location: Location, way: str) -> None:
    with practice_scope(practice, actor=WATCHER):
        closure = Closure.objects.create(name="Fair", location=location, start_date="2026-01-01", end_date="2026-01-02")
    with practice_scope(practice, actor=BY):
        if way == "instance":
            Location.objects.get(pk=location.pk).delete()
        else:
            Location.objects.filter(pk=location.pk).delete()
    found = {(entity, entity_id): changes for _, entity, entity_id, changes in told(practice, action="delete")}
    assert found.keys() == {("practices.location", location.pk), ("practices.closure", closure.pk)}
    assert found["practices.location", location.pk]["name"] == ["Main", None]
    assert found["practices.closure", closure.pk]["start_date"] == ["2026-01-01", None]


def test_related_manager_and_get_or_create_are_covered(practice: Practice, location: Location) -> None:
    with practice_scope(practice, actor=BY):
        room, made = Resource.objects.get_or_create(name="Room 1", kind="room")
        assert made
        location.resources.add(room)
        location.resources.clear()
        Resource.objects.update_or_create(name="Room 1", defaults={"capacity": 2})
    assert [changes for *_, changes in told(practice, action="update")] == [
        {"location_id": [None, str(location.pk)]},
        {"location_id": [str(location.pk), None]},
        {"capacity": [1, 2]},
    ]


def test_patient_is_found_by_the_patient(practice: Practice, other_practice: Practice) -> None:
    with practice_scope(practice, actor=BY):
        mine = Patient.objects.create(given_name="Ada", family_name="Ashby")
        Patient.objects.create(given_name="Ben", family_name="Burr")
        Patient.objects.filter(pk=mine.pk).update(pronouns="she/her")
    with practice_scope(practice, actor=WATCHER):
        found = AuditEvent.objects.about_patient(mine.pk).order_by("at", "id")
        assert [(event.action, event.patient_ids) for event in found] == [
            ("create", [mine.pk]),
            ("update", [mine.pk]),
        ]
    with practice_scope(other_practice, actor=WATCHER):
        assert not AuditEvent.objects.about_patient(mine.pk).exists()


def undone(name: str) -> None:
    Location.objects.create(name=name)
    with transaction.atomic():
        Location.objects.create(name=f"{name}, in a savepoint of its own")
    raise ZeroDivisionError


def test_rollback_leaves_nothing(practice: Practice) -> None:
    with pytest.raises(ZeroDivisionError), practice_scope(practice, actor=BY):
        undone("Main")
    with practice_scope(practice, actor=BY):
        Location.objects.create(name="Main")
        transaction.set_rollback(True)
    assert events(practice) == []


def test_what_a_savepoint_undid_is_left_out(practice: Practice) -> None:
    with practice_scope(practice, actor=BY):
        with transaction.atomic():
            Location.objects.create(name="Kept")
            with pytest.raises(ZeroDivisionError), transaction.atomic():
                undone("Undone")
        with pytest.raises(ZeroDivisionError), transaction.atomic():
            undone("Undone too")
    assert [changes["name"] for *_, changes in told(practice)] == [[None, "Kept"]]


def test_nested_scope_writes_its_own(practice: Practice) -> None:
    inner = Actor.system("inner")
    with practice_scope(practice, actor=BY):
        Location.objects.create(name="A")
        with practice_scope(practice, actor=inner):
            Location.objects.create(name="B")
        Location.objects.create(name="C")
    assert {(each.actor_label, each.changes["name"][1]) for each in events(practice)} == {
        ("Robin", "A"),
        ("inner", "B"),
        ("Robin", "C"),
    }


def test_event_that_cannot_be_written_undoes_its_write(practice: Practice) -> None:
    too_long = Actor(kind="user", id=USER, label="x" * 201)
    with pytest.raises(Exception, match="too long"), practice_scope(practice, actor=too_long):
        Location.objects.create(name="Main")
    with practice_scope(practice, actor=WATCHER):
        assert not Location.objects.exists()


@pytest.mark.parametrize("actor", [ANONYMOUS, Actor(kind="user"), Actor(kind="system")])
def test_write_without_actor_raises(practice: Practice, actor: Actor) -> None:
    with practice_scope(practice, actor=actor):
        with pytest.raises(NoActor), transaction.atomic():
            Location.objects.create(name="Main")
        with pytest.raises(NoActor), transaction.atomic():
            Location.objects.bulk_create([Location(name="Main")])
    with practice_scope(practice, actor=WATCHER):
        assert not Location.objects.exists()


@pytest.mark.django_db
def test_write_outside_any_scope_raises() -> None:
    with pytest.raises(NoActor), transaction.atomic():
        User.objects.create_user("a@example.test", "correct-horse-battery")
    assert not User.objects.exists()


def test_transaction_costs_one_insert_and_no_other_query(practice: Practice) -> None:
    with CaptureQueriesContext(connection) as captured, practice_scope(practice, actor=BY):
        for number in range(3):
            Location(name=f"L{number}").save(force_insert=True)
    kinds = [re.split(r"[ (]", query["sql"].removeprefix("SELECT audit_"), maxsplit=1)[0] for query in captured]
    # The scope sets and restores its settings around three rows and the one statement of their three events.
    rows = ["INSERT", "INSERT", "INSERT"]
    assert kinds == ["SAVEPOINT", "SELECT", "SELECT", *rows, "record", "SELECT", "RELEASE"]


def test_many_events_are_written_in_parts(practice: Practice) -> None:
    with practice_scope(practice, actor=BY):
        Location.objects.bulk_create([Location(name=f"L{number}") for number in range(4500)])
    with practice_scope(practice, actor=WATCHER):
        assert AuditEvent.objects.filter(actor_id=USER).count() == 4500


def test_user_in_a_practice_is_in_its_log_without_the_password(practice: Practice) -> None:
    with practice_scope(practice, actor=BY):
        user = User.objects.create_user("a@example.test", "correct-horse-battery")
        user.set_password("another-horse-battery")
        user.save()
        User.objects.filter(pk=user.pk).update(name="Ann")
    assert told(practice) == [
        (
            "create",
            "accounts.user",
            user.pk,
            {
                "email": [None, "a@example.test"],
                "password": None,
                "is_active": [None, True],
                "is_superuser": [None, False],
                "token_version": None,
            },
        ),
        ("update", "accounts.user", user.pk, {"password": None}),
        ("update", "accounts.user", user.pk, {"name": ["", "Ann"]}),
    ]


def test_platform_scope_tells_the_platform_and_the_practice(practice: Practice) -> None:
    with platform_scope(actor=BY, request_id="r-2"):
        practice.name = "Alder & Sons"
        practice.save()
        user = User.objects.create_user("b@example.test", "correct-horse-battery")
    expected = ("update", "practices.practice", practice.pk, {"name": ["Alder Clinic", "Alder & Sons"]})
    assert told(practice) == [expected]
    assert events(practice)[0].request_id == "r-2"
    with platform_scope(actor=WATCHER):
        found = PlatformAuditEvent.objects.filter(actor_id=USER).order_by("at", "id")
        assert [(each.entity, each.entity_id, each.practice_id) for each in found] == [
            ("practices.practice", practice.pk, practice.pk),
            ("accounts.user", user.pk, None),
        ]


def test_platform_log_is_read_by_the_platform_only(practice: Practice) -> None:
    with platform_scope(actor=BY):
        practice.name = "Alder & Sons"
        practice.save()
    assert PlatformAuditEvent.objects.count() == 0
    with practice_scope(practice, actor=BY):
        assert PlatformAuditEvent.objects.count() == 0


def test_who_a_patient_is_stays_out_of_the_log() -> None:
    """Whatever may hold a name or a date of birth, of each model whose rows belong to a patient."""
    for belonging in belongings():
        for field in belonging.model._meta.concrete_fields:
            if isinstance(field, models.CharField | models.TextField | models.JSONField | ArrayField) or (
                isinstance(field, models.DateField) and not isinstance(field, models.DateTimeField)
            ):
                changes = created(belonging.model, {field.attname: "Zenobia"})
                withheld = {field.attname: None}
                assert changes == withheld or field.choices, f"{belonging.entity}.{field.attname}"
    assert created(Patient, {"sex": "female", "restricted": True}) == {
        "sex": [None, "female"],
        "restricted": [None, True],
    }


def test_secrets_and_clinical_values_are_named_only() -> None:
    """For every model there is: which of its columns are withheld."""
    withheld = {
        f"{model._meta.label}.{field.attname}"
        for model in apps.get_models()
        if getattr(model, "audited", False)
        for field in model._meta.concrete_fields
        if isinstance(field, EncryptedTextField | BlindIndexField | models.BinaryField)
        or getattr(model, "area", "") in CLINICAL_AREAS
    }
    assert withheld
    for label in withheld | {"accounts.User.password"}:
        model_label, attname = label.rsplit(".", 1)
        changes = created(apps.get_model(model_label), {attname: "plain"})
        assert changes in ({attname: None}, {}), label
