"""Keys for programs over HTTP: made, used, capped by their maker, ended."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.conf import settings
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from rest_framework.test import APIClient

from accounts import services
from accounts.api_keys import NEVER, SCOPES, role_of
from accounts.models import ApiKey, Membership
from accounts.permissions import RolePermission, view_area
from accounts.roles import Access, Area, Grant, Role, ScopedRole, allowed, grant
from audit.models import AuditEvent
from practices.bound_secrets import digest, new_key
from practices.models import Practice
from practices.tenancy import Actor, practice_scope
from tests.bound_secrets import moved
from tests.clients import MemberClient, client_for, membership_of
from tests.factories.accounts import MembershipFactory
from tests.factories.patients import PatientFactory
from tests.routes import api_routes
from tests.test_role_matrix import World, observed

BY = Actor.system("tests")
API = "/api/v1"
URL = f"{API}/api-keys"

pytestmark = pytest.mark.django_db


def soon() -> str:
    return (timezone.now() + timedelta(days=30)).isoformat()


def with_key(key: str) -> APIClient:
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {key}")
    return client


def made(owner: MemberClient, *scopes: str, **fields: Any) -> dict[str, Any]:
    response = owner.post(URL, {"name": "Sync", "scopes": list(scopes), "expires_at": soon(), **fields})
    assert response.status_code == 201, response.json()
    answer: dict[str, Any] = response.json()
    return answer


def change(practice: Practice, key: dict[str, Any], **values: Any) -> None:
    with practice_scope(practice, actor=BY):
        ApiKey.objects.filter(pk=key["id"]).update(**values)


@pytest.fixture
def owner(practice: Practice) -> MemberClient:
    return client_for("owner", practice)


def test_key_is_shown_once_and_kept_as_a_hash(practice: Practice, owner: MemberClient) -> None:
    body = {"name": "Sync", "scopes": ["patients:write", "appointments:read"], "expires_at": soon()}
    response = owner.post(URL, body, headers={"Idempotency-Key": "again"})
    answer = response.json()
    key = answer.pop("key")
    assert answer == {
        "id": answer["id"],
        "name": "Sync",
        "prefix": key.split("_")[1],
        "scopes": ["patients:write", "appointments:read"],
        "created_by": {"id": str(owner.user.pk), "email": owner.user.email, "name": owner.user.name},
        "expires_at": answer["expires_at"],
        "last_used_at": None,
        "revoked_at": None,
        "created_at": answer["created_at"],
        "updated_at": answer["updated_at"],
    }
    assert owner.get(response["Location"]).json() == answer
    assert owner.get(URL).json()["results"] == [answer]
    with practice_scope(practice, actor=BY):
        assert ApiKey.objects.get().secret_hash == digest(key)
        (event,) = AuditEvent.objects.filter(entity="accounts.apikey")
        assert (event.action, event.changes["secret_hash"]) == ("create", None)
    again = owner.post(URL, body, headers={"Idempotency-Key": "again"})
    assert (again.status_code, again.json()["key"] != key) == (201, True)


def test_key_does_what_its_scopes_say_and_no_more(practice: Practice, owner: MemberClient) -> None:
    program = with_key(made(owner, "patients:write", "appointments:read")["key"])
    patient = {"given_name": "Ada", "family_name": "Reed", "birth_date": "1980-01-01"}
    assert program.get(f"{API}/patients").status_code == 200
    created = program.post(f"{API}/patients", patient, format="json")
    assert created.status_code == 201
    assert program.get(f"{API}/appointments").status_code == 200
    refused = [
        program.post(f"{API}/appointments", {}, format="json"),
        program.get(f"{API}/messages"),
        program.get(f"{API}/audit-events"),
    ]
    assert [(each.status_code, each.json()["code"]) for each in refused] == [(403, "permission_denied")] * 3
    with practice_scope(practice, actor=BY):
        event = AuditEvent.objects.get(entity="patients.patient", action="create")
    assert (event.actor_kind, event.actor_id) == ("user", owner.user.pk)
    prefix = owner.get(URL).json()["results"][0]["prefix"]
    assert (event.actor_label, event.roles) == (f"{owner.user.name} by API key Sync ({prefix})", [f"key:{prefix}"])


def test_key_of_an_owner_sees_no_restricted_patient(practice: Practice, owner: MemberClient) -> None:
    with practice_scope(practice, actor=BY):
        PatientFactory.create(restricted=True)
        open_chart = PatientFactory.create()
    program = with_key(made(owner, "patients:full")["key"])
    assert [row["id"] for row in program.get(f"{API}/patients").json()["results"]] == [str(open_chart.pk)]


def test_key_hears_of_changes_in_its_areas(owner: MemberClient, practice: Practice) -> None:
    with practice_scope(practice, actor=BY):
        PatientFactory.create()
    heard = [with_key(made(owner, scope)["key"]).get(f"{API}/events") for scope in ("patients:read", "messages:read")]
    assert [[row["type"] for row in each.json()["results"]] for each in heard] == [["patient.created"], []]


def test_nobody_makes_a_key_that_may_more_than_they_do(practice: Practice) -> None:
    admin = client_for("admin", practice)
    body = {"name": "x", "scopes": ["patients:full", "clinical:write", "notes:read"], "expires_at": soon()}
    response = admin.post(URL, body)
    errors = [(each["pointer"], each["code"]) for each in response.json()["errors"]]
    assert (response.status_code, errors) == (400, [("/scopes/1", "not_granted"), ("/scopes/2", "not_granted")])


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"scopes": []}, "/scopes"),
        ({"scopes": ["members:read"]}, "/scopes/0"),
        ({"scopes": ["api_keys:full"]}, "/scopes/0"),
        ({"scopes": ["patients:none"]}, "/scopes/0"),
        ({"expires_at": None}, "/expires_at"),
        ({"expires_at": "2020-01-01T00:00:00Z"}, "/expires_at"),
        ({"expires_at": "9999-01-01T00:00:00Z"}, "/expires_at"),
        ({"name": ""}, "/name"),
        ({"member": "x"}, "/member"),
    ],
)
def test_unusable_keys_are_refused(owner: MemberClient, fields: dict[str, Any], pointer: str) -> None:
    body = {"name": "x", "scopes": ["patients:read"], "expires_at": soon(), **fields}
    response = owner.post(URL, body)
    assert (response.status_code, response.json()["errors"][0]["pointer"]) == (400, pointer)


def test_key_follows_its_makers_roles(practice: Practice, owner: MemberClient) -> None:
    admin = client_for("admin", practice)
    member = membership_of(admin.user, practice)
    program = with_key(made(admin, "patients:write", "money:full", "audit:read")["key"])

    def asked() -> list[int]:
        writes = program.post(f"{API}/patients", {}, format="json")
        return [each.status_code for each in (program.get(f"{API}/audit-events"), writes)]

    assert asked() == [200, 400]
    with practice_scope(practice, actor=BY):
        services.change_roles(member=member.pk, roles=["biller"], by=BY)
    assert asked() == [403, 403]
    assert program.get(f"{API}/patients").status_code == 200
    with practice_scope(practice, actor=BY):
        services.change_roles(member=member.pk, roles=["owner"], by=BY)
    assert asked() == [200, 400]


@pytest.mark.parametrize("end", ["suspend", "remove", "deactivate", "close", "revoke", "expire"])
def test_key_stops_at_once(practice: Practice, owner: MemberClient, end: str) -> None:
    admin = client_for("admin", practice)
    key = made(admin, "patients:read")
    member = membership_of(admin.user, practice)
    program = with_key(key["key"])
    assert program.get(f"{API}/patients").status_code == 200
    with practice_scope(practice, actor=BY):
        if end == "suspend":
            services.suspend(member=member.pk, by=BY)
        elif end == "remove":
            services.remove(member=member.pk, by=BY)
        elif end == "deactivate":
            admin.user.is_active = False
            admin.user.save()
        elif end == "close":
            Practice.objects.filter(pk=practice.pk).update(status="closed")
    if end == "revoke":
        assert owner.delete(f"{URL}/{key['id']}").status_code == 204
        assert owner.get(f"{URL}/{key['id']}").json()["revoked_at"] is not None
    if end == "expire":
        change(practice, key, expires_at=timezone.now())
    answer = program.get(f"{API}/patients")
    assert (answer.status_code, answer.json()["code"]) == (401, "not_authenticated")


def test_bad_keys_are_no_login(practice: Practice, other_practice: Practice, owner: MemberClient) -> None:
    good = made(owner, "patients:read")["key"]
    prefix, secret = good.split("_", 2)[1:]
    bad = [
        new_key(prefix, practice.pk),
        new_key("nosuchky", practice.pk),
        f"pk_{prefix}_{moved(secret, other_practice)}",
        f"pk_{prefix}_{secret[:-1]}!",
        f"pk_{prefix[:-1]}{'3' if prefix[-1] == '2' else '2'}_{secret}",
        "pk_",
        "pk__",
        f"pk_{prefix}_",
        f"pk_\x00_{secret}",
        "pk_" + "x" * 5000,
        good.upper(),
    ]
    for key in bad:
        answer = with_key(key).get(f"{API}/patients")
        assert (answer.status_code, answer.json()["code"]) == (401, "not_authenticated"), key
    assert with_key(good).get(f"{API}/patients").status_code == 200


def test_key_reaches_only_what_the_role_table_may_give_it(practice: Practice, settings: Any) -> None:
    """Every route, with the key of somebody who may do everything and with every scope there is."""
    settings.RATELIMIT_ENABLE = False
    client = client_for(list(Role.values), practice)
    granted = [
        each for each in SCOPES if grant(Role.values, (pair := each.split(":"))[0]).own >= Access[pair[1].upper()]
    ]
    world = World(practice, "key", with_key(made(client, *granted)["key"]), None, {})
    reached = {str(route): observed(world, route) != "deny" for route in api_routes().values()}
    public = {str(route) for route in api_routes().values() if _is_public(route.view)}
    by_table = {str(route) for route in api_routes().values() if RolePermission in route.view.permission_classes}
    kept = {str(route) for route in api_routes().values() if view_area(route.view()) in NEVER}
    open_routes = {key for key, is_open in reached.items() if is_open} - public
    assert open_routes == (by_table - kept - OF_AUTHORS_ALONE) | {"GET /events"}
    assert {"DELETE /members/{pk}", "POST /api-keys", "POST /invitations"} <= kept


NOTE = "/patients/{patient_id}/notes/{pk}"
OF_AUTHORS_ALONE = {f"PATCH {NOTE}", f"DELETE {NOTE}", f"POST {NOTE}/sign"}
"""Nobody's role reaches another's draft, which the row of these tests is."""


def _is_public(view: Any) -> bool:
    return RolePermission not in view.permission_classes and not _asks_for_login(view)


def _asks_for_login(view: Any) -> bool:
    return any(each.__name__ == "IsAuthenticated" for each in view.permission_classes)


def test_use_is_noted_once_a_minute(practice: Practice, owner: MemberClient) -> None:
    key = made(owner, "practice_settings:read")
    program = with_key(key["key"])

    def used() -> tuple[int, datetime | None]:
        with CaptureQueriesContext(connection) as captured:
            assert program.get(f"{API}/locations").status_code == 200
        with practice_scope(practice, actor=BY):
            return len(captured), ApiKey.objects.get(pk=key["id"]).last_used_at

    first, again = used(), used()
    assert (first[0], again[0], first[1]) == (8, 7, again[1])
    change(practice, key, last_used_at=timezone.now() - timedelta(seconds=61))
    assert used()[0] == 8
    with practice_scope(practice, actor=BY):
        events = AuditEvent.objects.filter(entity="accounts.apikey", entity_id=key["id"], action="update")
        assert [event.changes for event in events] == []


@pytest.mark.parametrize("rows", [1, 3])
def test_list_costs_the_same_for_any_number(
    owner: MemberClient, practice: Practice, rows: int, django_assert_num_queries: Any
) -> None:
    with practice_scope(practice, actor=BY):
        for number in range(rows):
            ApiKey.objects.create(
                name="x", prefix=str(number), secret_hash="x", scopes=[], member=MembershipFactory.create(),
                expires_at=timezone.now(),
            )  # fmt: skip
    with django_assert_num_queries(6):  # savepoint and release, settings read, set and restored, identity, rows
        assert len(owner.get(URL).json()["results"]) == rows


def test_longest_life_is_a_setting(owner: MemberClient) -> None:
    for days, status in ((1, 201), (-1, 400)):
        end = timezone.now() + settings.API_KEY_MAX_LIFETIME - timedelta(days=days)
        body = {"name": "x", "scopes": ["patients:read"], "expires_at": end.isoformat()}
        assert owner.post(URL, body).status_code == status


def test_own_rows_stay_own_rows() -> None:
    """A maker who may only write their own rows makes keys that write only those."""
    member = Membership(roles=["provider"])
    role = role_of(ApiKey(prefix="x", scopes=["availability:full", "patients:full"], member=member))
    assert role.grants == {
        Area.AVAILABILITY: Grant(Access.NONE, Access.FULL),
        Area.PATIENTS: Grant(Access.WRITE, Access.WRITE),
    }
    assert allowed([role], Area.AVAILABILITY, Access.WRITE, own=True)
    assert not allowed([role], Area.AVAILABILITY, Access.READ)


def test_roles_of_two_keys_are_equal_only_when_they_allow_the_same() -> None:
    """Whoever remembers answers by role must not mix them up, nor with a role of the same name."""
    one = ScopedRole("key:x", {Area.PATIENTS: Grant(Access.READ, Access.READ)})
    same = ScopedRole("key:x", {Area.PATIENTS: Grant(Access.READ, Access.READ)})
    more = ScopedRole("key:x", {Area.PATIENTS: Grant(Access.FULL, Access.FULL)})
    assert {one, same, more, "key:x"} == {one, more, "key:x"}
    assert (one == same, one != same, one == more, one != more, one == "key:x") == (True, False, False, True, False)
    assert not allowed([ScopedRole("owner", {})], Area.PATIENTS, Access.READ)
