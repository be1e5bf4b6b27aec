"""Another practice's ids, put wherever the admin takes an id, get the very page that an id nobody has gets; and no page
names anything of another practice. Pages come from the site's own list, so a new one is covered as it appears.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Any

import pytest
from django.db import models

from accounts.models import Membership
from appointments.models import Appointment
from practices.admin.row_actions import RowActionsMixin
from practices.models import Practice, TenantModel
from practices.tenancy import practice_scope
from tests.admin.pages import ALL_ROLES, AdminClient, admin_client, filled, registered, routes, seen, url
from tests.rows import SETUP, make_row, tenant_models

LEAST = 12
"""Characters from which on a text of another practice's row is taken for one that can't be here by chance."""
DETAIL = ("change", "delete", "history")
ACTIONS = (
    "archive",
    "unarchive",
    "suspend",
    "reactivate",
    "reschedule",
    "cancel",
    "arrive",
    "confirm",
    "release",
    "trial",
)


@dataclass
class World:
    client: AdminClient
    ours: dict[str, Any]
    theirs: dict[str, Any]

    def secrets(self) -> set[str]:
        """Ids and texts of the other practice's rows."""
        found = {str(row.pk) for row in self.theirs.values()}
        for row in self.theirs.values():
            for field in row._meta.concrete_fields:
                value = getattr(row, field.attname)
                if isinstance(field, models.CharField | models.TextField) and len(str(value or "")) >= LEAST:
                    found.add(str(value))
        return found - {"entered-in-error", "appointment-confirmation", "FREQ=WEEKLY;COUNT=2", "all_or_nothing"}


@pytest.fixture
def world(practice: Practice, other_practice: Practice) -> World:
    """A member with every role, one row of every model in either practice."""
    with practice_scope(other_practice, actor=SETUP):
        theirs = {model._meta.label: make_row(model) for model in tenant_models()}
    with practice_scope(practice, actor=SETUP):
        ours = {model._meta.label: make_row(model) for model in tenant_models()}
        user = make_row(Membership, roles=ALL_ROLES).user
    return World(admin_client(user, practice), ours, theirs)


def tenant_pages() -> list[type[TenantModel]]:
    return [model for model in registered() if issubclass(model, TenantModel)]


def downloads(model: Any) -> list[str]:
    """The page of a model that leads to a file, if it has one."""
    name = f"{model._meta.app_label}_{model._meta.model_name}_download"
    return ["download"] if name in {each.name for each in routes()} else []


def actions(model: Any) -> tuple[str, ...]:
    """The names that a row's page might know; one stands for all where no page knows any."""
    offers = type(registered()[model]).get_row_actions is not RowActionsMixin.get_row_actions
    return ACTIONS if offers else ACTIONS[:1]


def test_foreign_id_in_an_address_is_not_found(world: World) -> None:
    leaks = []
    for model in tenant_pages():
        pages = [(page, ()) for page in (*DETAIL, *downloads(model))] + [("do", (name,)) for name in actions(model)]
        for page, more in pages:
            for method in (world.client.get, world.client.post):
                unknown, foreign = uuid.uuid4(), world.theirs[model._meta.label].pk
                expected = seen(method(url(model, page, unknown, *more)), unknown)
                assert expected[0] in {403, 404}, (model, page)
                if seen(method(url(model, page, foreign, *more)), foreign) != expected:
                    leaks.append((model._meta.label, page, method.__name__))
    assert leaks == []


def test_foreign_practice_and_user_have_no_page(world: World, other_practice: Practice) -> None:
    for label in ("practices.Practice", "accounts.User"):
        model = next(each for each in registered() if each._meta.label == label)
        foreign = other_practice.pk if model is Practice else world.theirs["accounts.Membership"].user_id
        for page in DETAIL:
            unknown = uuid.uuid4()
            expected = seen(world.client.get(url(model, page, unknown)), unknown)
            assert seen(world.client.get(url(model, page, foreign)), foreign) == expected
            assert expected[0] in {403, 404}


def test_own_rows_have_pages(world: World) -> None:
    """So that the sweep above compares with something."""
    for model in tenant_pages():
        row = world.ours[model._meta.label]
        assert world.client.get(url(model, "change", row.pk)).status_code == 200, model


def test_no_page_names_anything_of_another_practice(world: World) -> None:
    secrets = world.secrets()
    addresses = ["/admin/", "/admin/password_change/", "/admin/practice/", "/admin/logins/"]
    for model in registered():
        addresses += [url(model, "changelist"), f"{url(model, 'changelist')}?q=a", url(model, "add")]
        if row := world.ours.get(model._meta.label):
            addresses += [url(model, page, row.pk) for page in DETAIL]
    addresses.append(f"{url(Appointment, 'changelist')}?when=all")
    for address in addresses:
        response = world.client.get(address)
        assert response.status_code < 500, address
        text = response.content.decode()
        assert [secret for secret in secrets if secret in text] == [], address


def _foreign_keys(model: Any) -> list[models.ForeignKey[Any, Any]]:
    return [
        field
        for field in model._meta.concrete_fields
        if isinstance(field, models.ForeignKey) and field.name != "practice"
    ]


def test_autocompletes_know_no_other_practice(world: World) -> None:
    asked, secrets = 0, world.secrets()
    for model in tenant_pages():
        for field in _foreign_keys(model):
            meta = model._meta
            query = {"app_label": meta.app_label, "model_name": str(meta.model_name), "field_name": field.name}
            theirs = world.theirs.get(field.related_model._meta.label)
            for term in {"", "a", *(str(value) for value in (vars(theirs).values() if theirs else ()))}:
                response = world.client.get("/admin/autocomplete/", {**query, "term": term})
                assert response.status_code in {200, 403, 404}, (model, field)
                text = response.content.decode()
                assert [secret for secret in secrets if secret in text] == []
                asked += response.status_code == 200
    assert asked > 20


def test_filtering_by_a_foreign_id_shows_what_an_unknown_one_shows(world: World) -> None:
    for model in tenant_pages():
        for field in _foreign_keys(model):
            key = world.theirs.get(field.related_model._meta.label)
            if key is None:
                continue
            unknown = uuid.uuid4()
            name = f"{field.name}__id__exact"
            expected = seen(world.client.get(url(model, "changelist"), {name: str(unknown)}), unknown)
            assert seen(world.client.get(url(model, "changelist"), {name: str(key.pk)}), key.pk) == expected, (
                model,
                name,
            )


def test_foreign_id_in_a_form_reads_like_an_unknown_one(world: World) -> None:
    tried = 0
    for model in tenant_pages():
        address = url(model, "add")
        page = world.client.get(address)
        if page.status_code == 403:
            continue
        for field in _foreign_keys(model):
            if field.name not in page.context["adminform"].form.fields:
                continue
            unknown, foreign = uuid.uuid4(), world.theirs[field.related_model._meta.label].pk
            before = seen(world.client.post(address, filled(page, **{field.name: unknown})), unknown)
            assert before[0] == 200, (model, field)
            after = seen(world.client.post(address, filled(page, **{field.name: foreign})), foreign)
            assert after == before, (model, field)
            tried += 1
    assert tried > 6


def test_foreign_id_in_an_actions_form_reads_like_an_unknown_one(world: World) -> None:
    visit = world.ours["appointments.Appointment"]
    model = type(visit)
    answers = {"start_0": "2027-03-03", "start_1": "10:00"}
    for name, field, label in (
        ("cancel", "cancellation_reason", "practices.CancellationReason"),
        ("reschedule", "provider", "accounts.ProviderProfile"),
        ("reschedule", "location", "practices.Location"),
    ):
        unknown, foreign = uuid.uuid4(), world.theirs[label].pk
        address = url(model, "do", visit.pk, name)
        before = seen(world.client.post(address, {**answers, field: unknown}), unknown)
        assert (before[0], "valid choice" in before[1]) == (200, True)
        assert seen(world.client.post(address, {**answers, field: foreign}), foreign) == before


def test_foreign_row_can_not_be_slipped_into_a_chart(world: World) -> None:
    patient, contact = world.ours["patients.Patient"], world.theirs["patients.ContactPoint"]
    address = url(type(patient), "change", patient.pk)
    page = world.client.get(address)
    slipped = {"contacts-TOTAL_FORMS": 1, "contacts-INITIAL_FORMS": 1, "contacts-0-id": contact.pk}
    values = {"contacts-0-patient": patient.pk, "contacts-0-kind": "phone", "contacts-0-value": "+12025550123"}
    values |= {"contacts-0-use": "home", "contacts-0-rank": 1}
    response = world.client.post(address, filled(page, **slipped, **values))
    assert response.status_code in {200, 400}
    assert str(contact.value) not in response.content.decode()


def test_days_of_the_log_name_nothing_foreign(world: World) -> None:
    response = world.client.get("/admin/audit/auditevent/accesses/")
    assert response.status_code == 200
    assert [secret for secret in world.secrets() if secret in response.content.decode()] == []


def test_sweep_is_not_empty() -> None:
    names = {each.name for each in routes()}
    assert len(tenant_pages()) >= 14
    assert {"index", "practice", "login", "autocomplete"} < names
    assert "view_on_site" not in names
    known = {"index", "practice", "login", "logout", "password_change", "password_change_done", "autocomplete"}
    known |= {"jsi18n", "search", "app_list", "admin_password_reset", "password_reset", "invitation"}
    known |= {"login_code", "second_factor", "logins", "audit_auditevent_accesses"}
    known |= {"patients_patient_break_glass"}  # test_merging.py
    for model in registered():
        meta = model._meta
        pages = ("changelist", "add", "do", *DETAIL, *downloads(model))
        known |= {f"{meta.app_label}_{meta.model_name}_{page}" for page in pages}
    assert names == known, "a page that no test here visits"
