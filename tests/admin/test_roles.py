"""Every page for every role: what the role table says, and never a failure."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from accounts.models import Membership, ProviderProfile, User
from accounts.roles import Access, allowed
from appointments.models import AvailabilityRule
from audit.models import AuditEvent
from patients.models import Patient
from practices.models import Location, Practice, Resource, TenantModel
from practices.tenancy import Actor, platform_scope, practice_scope
from tests.admin.pages import ALL_ROLES, AdminClient, admin_client, registered, staff, url
from tests.clients import membership_of
from tests.factories.accounts import UserFactory
from tests.rows import SETUP, make_row, tenant_models

READ_ONLY = {
    *("accounts.ApiKey", "audit.AuditEvent", "integrations.Message", "patients.AccessGrant"),
    "patients.DuplicateCandidate",
    "integrations.ImportRowError",
}
ASKED_FOR = {"integrations.ImportJob", "integrations.PatientExport", "patients.LegalHold"}
"""Added, and then never edited."""
WHOLE_CHARTS = ASKED_FOR | {"integrations.ImportRowError"}
"""Closed to a biller, whose own exports are of money, as at the API."""
NEVER_ADDED = READ_ONLY | {"accounts.Membership", "practices.PracticePolicy"}
NEVER_DELETED = (
    (NEVER_ADDED - {"accounts.Membership"})
    | ASKED_FOR
    | {
        "accounts.Invitation",
        "patients.Patient",
        "patients.PatientDocument",
        "appointments.Appointment",
        "appointments.AppointmentSeries",
        "appointments.WaitlistEntry",
    }
)


def tenant_pages() -> list[type[TenantModel]]:
    return [model for model in registered() if issubclass(model, TenantModel)]


@pytest.fixture
def rows(practice: Practice) -> dict[str, Any]:
    with practice_scope(practice, actor=SETUP):
        return {model._meta.label: make_row(model) for model in tenant_models()}


def status(client: AdminClient, model: Any, page: str, *args: Any) -> int:
    return int(client.get(url(model, page, *args)).status_code)


@pytest.mark.parametrize("role", ALL_ROLES)
def test_pages_are_open_to_whom_the_role_table_names(role: str, practice: Practice, rows: dict[str, Any]) -> None:
    client = staff(role, practice)
    assert client.get("/admin/").status_code == 200
    for model in tenant_pages():
        label = model._meta.label
        own = label not in WHOLE_CHARTS
        reads = allowed([role], model.area, Access.READ, own=own)
        writes = allowed([role], model.area, Access.WRITE, own=own)
        deletes = allowed([role], model.area, Access.FULL)
        visible = allowed([role], model.area, Access.READ)
        pk = rows[label].pk
        assert status(client, model, "changelist") == (200 if reads else 403), label
        assert status(client, model, "add") == (200 if writes and label not in NEVER_ADDED else 403), label
        if visible:
            assert status(client, model, "change", pk) == 200, label
            may_delete = deletes and label not in NEVER_DELETED
            assert status(client, model, "delete", pk) == (200 if may_delete else 403), label
            history = client.get(url(model, "history", pk)).status_code
            assert history == (302 if allowed([role], "audit", Access.READ) else 403), label
        else:
            assert status(client, model, "change", pk) in {403, 404}, label
        answer = client.post(url(model, "change", pk), {})
        may_change = allowed([role], model.area, Access.WRITE) and label not in READ_ONLY | ASKED_FOR
        assert (answer.status_code == 403) != may_change or answer.status_code == 404, (label, answer.status_code)


@pytest.mark.parametrize("role", ALL_ROLES)
def test_sidebar_names_only_pages_that_open(role: str, practice: Practice, rows: dict[str, Any]) -> None:
    client = staff(role, practice)
    groups = client.get("/admin/").context["sidebar_navigation"]
    links = [str(item["link"]) for group in groups for item in group["items"]]
    assert len(links) > 5
    assert [link for link in links if client.get(link).status_code != 200] == []


def test_provider_has_only_their_own_hours(practice: Practice) -> None:
    client = staff("provider", practice)
    with practice_scope(practice, actor=SETUP):
        location = Location.objects.create(name="Here")
        rules = []
        for user in (client.user, UserFactory.create()):
            member = Membership.objects.filter(user=user).first() or Membership.objects.create(
                user=user, roles=["provider"]
            )
            profile = ProviderProfile.objects.create(membership=member, display_name=str(user))
            calendar = Resource.objects.create(kind="provider", name=str(user), provider=profile)
            rules.append(make_row(AvailabilityRule, resource=calendar, location=location))
    mine, others = rules
    assert status(client, AvailabilityRule, "change", mine.pk) == 200
    assert status(client, AvailabilityRule, "change", others.pk) in {403, 404}
    assert str(others.pk) not in client.get(url(AvailabilityRule, "changelist")).content.decode()
    form = client.get(url(AvailabilityRule, "add")).context["adminform"].form
    with practice_scope(practice, actor=Actor.user(client.user.pk, ("provider",))):
        assert list(form.fields["resource"].queryset.all()) == [mine.resource]


def test_restricted_patient_is_a_busy_time_to_the_front_desk(practice: Practice) -> None:
    with practice_scope(practice, actor=SETUP):
        patient = make_row(Patient, given_name="Hidden", family_name="Person", restricted=True)
        visit = make_row(_model("appointments.Appointment"), patient=patient)
    desk, owner = staff("front_desk", practice), staff("owner", practice)
    for client, knows in ((desk, False), (owner, True)):
        assert client.get(url(Patient, "change", patient.pk)).status_code == (200 if knows else 404)
        for address in (
            f"{url(type(visit), 'changelist')}?when=all",
            url(type(visit), "change", visit.pk),
            url(Patient, "changelist"),
        ):
            assert ("Hidden" in client.get(address).content.decode()) == knows, address
        found = client.get(f"{url(type(visit), 'changelist')}?patient__id__exact={patient.pk}").context["cl"]
        assert found.result_count == int(knows)
    assert desk.post(url(type(visit), "do", visit.pk, "cancel"), {}).status_code == 403


def test_notes_of_a_visit_are_not_on_the_billers_page(practice: Practice) -> None:
    with practice_scope(practice, actor=SETUP):
        visit = make_row(_model("appointments.Appointment"), notes="Bring the diary")
    for role, reads in (("biller", False), ("auditor", False), ("front_desk", True)):
        page = staff(role, practice).get(url(type(visit), "change", visit.pk)).content.decode()
        assert ("Bring the diary" in page) == reads, role


def _model(label: str) -> Any:
    return next(model for model in registered() if model._meta.label == label)


@pytest.fixture
def root(db: None) -> AdminClient:
    return admin_client(UserFactory.create(is_superuser=True), None)


def test_superuser_sees_no_tenants_page(root: AdminClient, rows: dict[str, Any]) -> None:
    for model in tenant_pages():
        pk = rows[model._meta.label].pk
        assert {status(root, model, page) for page in ("changelist", "add")} == {403}, model
        assert {status(root, model, page, pk) for page in ("change", "delete", "history")} <= {403, 404}, model
    home = root.get("/admin/").content.decode()
    assert "Active practices" in home
    assert "patients" not in home.lower()


def test_superuser_opens_a_practice_for_an_owner(root: AdminClient) -> None:
    owner = UserFactory.create()
    opened = root.post(
        url(Practice, "add"),
        {
            "name": "Elm Clinic",
            "slug": "elm",
            "time_zone": "Europe/Berlin",
            "locale": "de-DE",
            "currency": "EUR",
            "owner_email": owner.email,
            "owner_sees_patients": "on",
        },
    )
    assert opened.status_code == 302, opened.context["adminform"].form.errors
    with platform_scope(actor=SETUP):
        practice = Practice.objects.get(slug="elm")
    client = AdminClient()
    client.force_login(owner)
    assert client.post("/admin/practice/", {"practice": str(practice.pk)}).status_code == 302
    assert "Elm Clinic" in client.get("/admin/").content.decode()
    assert membership_of(owner, practice).roles == ["owner", "provider"]


def test_superuser_makes_and_stops_users(root: AdminClient) -> None:
    fields = {"email": "New@Example.test", "name": "New", "is_active": "on"}
    weak = root.post(url(User, "add"), {**fields, "new_password": "password"})
    assert weak.context["adminform"].form.errors["new_password"]
    assert root.post(url(User, "add"), {**fields, "new_password": "a-long-and-rare-one"}).status_code == 302
    made = User.objects.get(email="new@example.test")
    assert made.check_password("a-long-and-rare-one")
    before = made.token_version
    assert root.post(url(User, "change", made.pk), {"email": made.email, "name": "New"}).status_code == 302
    made.refresh_from_db()
    assert (made.is_active, made.token_version) == (False, before + 1)  # being let in again revives no login
    own = root.post(url(User, "change", root.user.pk), {"email": root.user.email, "name": "Root"})
    assert "own access" in own.content.decode()
    assert root.get(url(_model("audit.PlatformAuditEvent"), "changelist")).status_code == 200


def test_nobody_edits_a_log(root: AdminClient, practice: Practice, rows: dict[str, Any]) -> None:
    log = _model("audit.PlatformAuditEvent")
    assert root.get(url(log, "add")).status_code == 403
    owner = staff("owner", practice)
    assert owner.get(url(AuditEvent, "add")).status_code == 403
    pk = rows["audit.AuditEvent"].pk
    assert owner.post(url(AuditEvent, "change", pk), {"action": "read"}).status_code == 403
    assert owner.post(url(AuditEvent, "delete", pk), {"post": "yes"}).status_code == 403


@pytest.mark.parametrize("text", ["\0", "a\0b", "%", "'", "\\", "😀" * 500, "x" * 3000, "1" * 400])
def test_strange_searches_are_answered(text: str, practice: Practice, rows: dict[str, Any]) -> None:
    client = staff(ALL_ROLES, practice)
    for model in tenant_pages():
        assert client.get(url(model, "changelist"), {"q": text}).status_code < 500, model
    query = {"app_label": "appointments", "model_name": "appointment", "field_name": "patient", "term": text}
    assert client.get("/admin/autocomplete/", query).status_code < 500


def test_strange_values_are_answered(practice: Practice, rows: dict[str, Any]) -> None:
    client = staff(ALL_ROLES, practice)
    for model in tenant_pages():
        for value in ("\0", "no-id", str(uuid.uuid4()), "9" * 50):
            for query in ({"o": value}, {"p": value}, {"e": value}, {"_to_field": value}, {"nonsense": value}):
                assert client.get(url(model, "changelist"), query).status_code < 500, (model, query)
            names = {field.name for field in model._meta.concrete_fields if field.name != "practice"}
            assert client.get(url(model, "add"), dict.fromkeys(names, value)).status_code < 500, model
            assert client.post(url(model, "add"), dict.fromkeys(names, value)).status_code < 500, model
            pk = rows[model._meta.label].pk
            assert client.post(url(model, "change", pk), dict.fromkeys(names, value)).status_code < 500, model
