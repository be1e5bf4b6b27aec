"""Members and providers over HTTP."""

import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connection

from accounts import services
from accounts.models import Membership, ProviderProfile, RefreshSession
from practices.models import Practice, Resource
from practices.tenancy import Actor, practice_scope
from tests.clients import MemberClient, client_for, client_of, membership_of
from tests.factories.accounts import MembershipFactory, ProviderProfileFactory, UserFactory

BY = Actor.system("tests")
MEMBERS = "/api/v1/members"
PROVIDERS = "/api/v1/providers"

pytestmark = pytest.mark.django_db


def id_of(client: MemberClient, practice: Practice) -> str:
    return str(membership_of(client.user, practice).pk)


def test_members_are_listed_with_their_users(practice: Practice, other_practice: Practice) -> None:
    client, _ = client_for("biller", practice), client_for("owner", other_practice)
    response = client.get(MEMBERS, {"total": "true"})
    assert response.json()["total"] == 1
    (row,) = response.json()["results"]
    assert row["user"] == {"id": str(client.user.pk), "email": client.user.email, "name": client.user.name}
    assert (row["roles"], row["status"], row["version"]) == (["biller"], "active", 1)


@pytest.mark.parametrize("members", [1, 3])
def test_list_of_members_costs_the_same_for_any_number(
    practice: Practice, members: int, django_assert_num_queries: Any
) -> None:
    client = client_for("owner", practice)
    with practice_scope(practice, actor=BY):
        MembershipFactory.create_batch(members)
    with django_assert_num_queries(6):  # savepoint and release, settings read, set and restored, identity, rows
        assert client.get(MEMBERS).status_code == 200


def test_roles_are_changed_and_hold_at_once(practice: Practice) -> None:
    owner, member = client_for("owner", practice), client_for("biller", practice)
    response = owner.patch(f"{MEMBERS}/{id_of(member, practice)}", {"roles": ["admin", "provider", "admin"]})
    assert (response.status_code, response.json()["roles"]) == (200, ["admin", "provider"])
    assert response["ETag"] == '"2"'
    assert member.get("/api/v1/auth/me").json()["roles"] == ["admin", "provider"]


@pytest.mark.parametrize("roles", [[], ["root"], "owner", [["owner"]], None])
def test_unknown_roles_are_refused(practice: Practice, roles: Any) -> None:
    owner, member = client_for("owner", practice), client_for("biller", practice)
    assert owner.patch(f"{MEMBERS}/{id_of(member, practice)}", {"roles": roles}).status_code == 400


def test_stale_change_of_roles_is_refused(practice: Practice) -> None:
    owner, member = client_for("owner", practice), client_for("biller", practice)
    path = f"{MEMBERS}/{id_of(member, practice)}"
    assert owner.patch(path, {"roles": ["admin"]}, headers={"If-Match": '"1"'}).status_code == 200
    assert owner.patch(path, {"roles": ["biller"]}, headers={"If-Match": '"1"'}).status_code == 412


def test_admin_may_neither_touch_nor_make_owners(practice: Practice) -> None:
    owner, admin = client_for("owner", practice), client_for("admin", practice)
    client_for("owner", practice)
    theirs, own = (f"{MEMBERS}/{id_of(each, practice)}" for each in (owner, admin))
    refused = [
        admin.patch(theirs, {"roles": ["biller"]}),
        admin.post(f"{theirs}/suspend"),
        admin.patch(own, {"roles": ["owner"]}),
    ]
    assert [each.status_code for each in refused] == [403, 403, 403]


def test_last_owner_stays(practice: Practice) -> None:
    owner = client_for("owner", practice)
    path = f"{MEMBERS}/{id_of(owner, practice)}"
    for response in (owner.patch(path, {"roles": ["admin"]}), owner.post(f"{path}/suspend")):
        assert (response.status_code, response.json()["code"]) == (409, "last_owner")
    assert owner.delete(path).json()["code"] == "last_owner"


@pytest.mark.parametrize(("roles", "more"), [(["owner"], "provider"), (["admin", "biller"], "auditor")])
def test_nobody_raises_their_own_roles(practice: Practice, roles: list[str], more: str) -> None:
    member = client_for(roles, practice)
    path = f"{MEMBERS}/{id_of(member, practice)}"
    refused = member.patch(path, {"roles": [*roles, more]})
    assert (refused.status_code, refused.json()["code"]) == (403, "permission_denied")
    assert member.patch(path, {"roles": roles[:1]}).json()["roles"] == roles[:1]


def test_practice_may_be_opened_for_an_owner_who_sees_patients(db: None) -> None:
    opened = {
        sees: services.open_practice(
            owner=UserFactory.create(), by=BY, sees_patients=sees, slug=f"s{sees}".lower(), name="S", time_zone="UTC"
        )
        for sees in (True, False)
    }
    for sees, roles in ((True, ["owner", "provider"]), (False, ["owner"])):
        with practice_scope(opened[sees], actor=BY):
            assert Membership.objects.get().roles == roles


def test_removed_member_is_out_and_gone(practice: Practice) -> None:
    owner, member = client_for("owner", practice), client_for("biller", practice)
    path = f"{MEMBERS}/{id_of(member, practice)}"
    assert client_for("admin", practice).delete(path).status_code == 403
    assert owner.delete(path, headers={"If-Match": '"7"'}).status_code == 412
    assert owner.delete(path).status_code == 204
    assert member.get("/api/v1/auth/me").status_code == 401
    assert owner.get(path).json()["code"] == "not_found"
    with practice_scope(practice, actor=BY):
        assert RefreshSession.objects.get(pk=member.login_session.pk).revoked_at is not None


def test_provider_with_a_profile_is_suspended_rather_than_removed(practice: Practice) -> None:
    owner, member = client_for("owner", practice), client_for("provider", practice)
    membership = membership_of(member.user, practice)
    with practice_scope(practice, actor=BY):
        ProviderProfileFactory.create(membership=membership)
    refused = owner.delete(f"{MEMBERS}/{id_of(member, practice)}")
    assert (refused.status_code, refused.json()["code"]) == (409, "member_in_use")
    assert member.get("/api/v1/auth/me").status_code == 200


def test_owner_who_is_not_the_last_may_leave(practice: Practice) -> None:
    owner = client_for("owner", practice)
    client_for("owner", practice)
    assert owner.patch(f"{MEMBERS}/{id_of(owner, practice)}", {"roles": ["admin"]}).status_code == 200


def test_suspended_owner_does_not_count(practice: Practice) -> None:
    one, other = client_for("owner", practice), client_for("owner", practice)
    assert one.post(f"{MEMBERS}/{id_of(other, practice)}/suspend").status_code == 200
    assert one.patch(f"{MEMBERS}/{id_of(one, practice)}", {"roles": ["admin"]}).json()["code"] == "last_owner"


def test_suspended_member_is_out_and_comes_back_by_logging_in(practice: Practice) -> None:
    owner, member = client_for("owner", practice), client_for("biller", practice)
    path = f"{MEMBERS}/{id_of(member, practice)}"
    assert owner.post(f"{path}/suspend").json()["status"] == "suspended"
    assert member.get("/api/v1/auth/me").status_code == 401
    assert owner.post(f"{path}/suspend").json()["code"] == "invalid_transition"
    assert owner.post(f"{path}/reactivate").json()["status"] == "active"
    assert member.get("/api/v1/auth/me").status_code == 401
    assert client_of(member.user, practice).get("/api/v1/auth/me").status_code == 200


def test_stranger_is_not_found(practice: Practice, other_practice: Practice) -> None:
    owner, stranger = client_for("owner", practice), client_for("biller", other_practice)
    foreign, unknown = id_of(stranger, other_practice), uuid.uuid4()
    for method, path, body in [
        (owner.patch, "", {"roles": ["admin"]}),
        (owner.post, "/suspend", {}),
        (owner.delete, "", None),
    ]:
        answers = [method(f"{MEMBERS}/{each}{path}", body) for each in (foreign, unknown)]
        assert [each.status_code for each in answers] == [404, 404]
        assert answers[0].json()["detail"] == answers[1].json()["detail"]


def test_provider_comes_with_a_calendar(practice: Practice) -> None:
    owner, member = client_for("owner", practice), client_for("provider", practice)
    body = {"membership": id_of(member, practice), "display_name": "Dr. Ada Reed", "specialty": "Cardiology"}
    response = owner.post(PROVIDERS, body)
    assert response.status_code == 201
    profile = response.json()
    calendar = owner.get(f"/api/v1/resources/{profile['resource']}").json()
    assert (calendar["kind"], calendar["name"], calendar["provider"]) == ("provider", "Dr. Ada Reed", profile["id"])
    again = owner.post(PROVIDERS, body)
    assert (again.status_code, again.json()["errors"][0]["pointer"]) == (400, "/membership")


def provider_of(owner: MemberClient, practice: Practice) -> str:
    member = client_for("provider", practice)
    response = owner.post(PROVIDERS, {"membership": id_of(member, practice), "display_name": "Dr. Reed"})
    return f"{PROVIDERS}/{response.json()['id']}"


def test_calendar_follows_the_profile(practice: Practice) -> None:
    owner = client_for("owner", practice)
    path = provider_of(owner, practice)
    changed = owner.patch(path, {"display_name": "Dr. Stone", "active": False}).json()
    calendar = owner.get(f"/api/v1/resources/{changed['resource']}").json()
    assert (calendar["name"], calendar["active"]) == ("Dr. Stone", False)
    assert owner.delete(f"/api/v1/resources/{changed['resource']}").json()["code"] == "provider_calendar"
    assert owner.delete(path).status_code == 204
    with practice_scope(practice, actor=BY):
        assert (ProviderProfile.objects.count(), Resource.objects.count()) == (0, 0)


def test_profile_stays_with_its_member(practice: Practice) -> None:
    owner = client_for("owner", practice)
    response = owner.patch(provider_of(owner, practice), {"membership": id_of(owner, practice)})
    assert response.json()["errors"][0]["code"] == "immutable"


def test_profile_needs_the_provider_role_and_a_member_of_this_practice(
    practice: Practice, other_practice: Practice
) -> None:
    owner, stranger = client_for("owner", practice), client_for("provider", other_practice)
    for member, code in [
        (id_of(owner, practice), "not_a_provider"),
        (id_of(stranger, other_practice), "does_not_exist"),
        (str(uuid.uuid4()), "does_not_exist"),
    ]:
        response = owner.post(PROVIDERS, {"membership": member, "display_name": "Dr. No"})
        assert (response.status_code, response.json()["errors"][0]["code"]) == (400, code)


def _demote(membership: Membership, actor: Actor) -> None:
    services.change_roles(member=membership.pk, roles=["admin"], by=actor)


def _suspend(membership: Membership, actor: Actor) -> None:
    services.suspend(member=membership.pk, by=actor)


def _remove(membership: Membership, actor: Actor) -> None:
    services.remove(member=membership.pk, by=actor)


@pytest.mark.django_db(transaction=True)
def test_two_owners_can_not_remove_each_other_at_once(practice: Practice) -> None:
    """Twenty rounds of two connections, each taking the other's place by a way of its own."""
    users, ways = [UserFactory.create() for _ in range(2)], [_demote, _suspend, _remove]
    start = threading.Barrier(2)

    def act(membership: Membership, way: Any) -> str:
        actor = Actor.user(next(user.pk for user in users if user.pk != membership.user_id), ("owner",))
        start.wait()
        try:
            with practice_scope(practice.pk, actor=actor):
                way(membership, actor)
        except services.LastOwner:
            return "kept"
        finally:
            connection.close()
        return "gone"

    with ThreadPoolExecutor(2) as pool:
        for round_number in range(20):
            with practice_scope(practice, actor=BY):
                Membership.objects.all().delete()
                owners = [MembershipFactory.create(user=user, roles=["owner"]) for user in users]
            pair = [ways[round_number % 3], ways[round_number // 3 % 3]]
            assert sorted(pool.map(act, owners, pair)) == ["gone", "kept"]
            with practice_scope(practice, actor=BY):
                assert Membership.objects.filter(roles=["owner"], status="active").count() == 1
