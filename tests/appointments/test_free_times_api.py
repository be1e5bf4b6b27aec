from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from accounts.roles import Role
from appointments.models import Appointment, AvailabilityRule, ResourceAllocation
from practices.models import Location, Practice, PracticePolicy, Resource
from practices.tenancy import Actor, practice_scope
from tests.appointments.conftest import calendar_of
from tests.clients import MemberClient, client_for
from tests.rows import make_row

SETUP = Actor.system("tests")
NEW_YORK = ZoneInfo("America/New_York")
DAY = timezone.now().date() + timedelta(days=3)


@pytest.fixture
def office(clinic: Any) -> Any:
    """The clinic, open each day from nine to ten."""
    with practice_scope(clinic.practice, actor=SETUP):
        clinic.visit.alignment = 30
        clinic.visit.save()
        open_daily(clinic)
    return clinic


@pytest.fixture
def desk(office: Any) -> MemberClient:
    return client_for(Role.FRONT_DESK, office.practice)


def open_daily(parts: Any, opens: time = time(9), closes: time = time(10)) -> None:
    for weekday in range(7):
        AvailabilityRule.objects.create(
            resource=parts.calendar,
            location=parts.location,
            weekday=weekday,
            start_time=opens,
            end_time=closes,
            valid_from=date(2026, 1, 1),
        )


def ask(client: MemberClient, office: Any, **changes: Any) -> Any:
    """For one day of the practice; a parameter of None is left out."""
    midnight = datetime.combine(DAY, time(0), NEW_YORK)
    query = {"appointment_type": office.visit.pk, "from": midnight, "to": midnight + timedelta(days=1), **changes}
    texts = {
        name: value.isoformat() if isinstance(value, datetime) else str(value)
        for name, value in query.items()
        if value is not None
    }
    return client.get("/api/v1/free-times", texts)


def refusals(response: Any) -> list[tuple[str, str, str]]:
    assert response.status_code == 400, response.content
    return [(error["pointer"], error["code"], error["in"]) for error in response.json()["errors"]]


def test_free_times_name_provider_location_and_zone(desk: MemberClient, office: Any) -> None:
    nine = datetime.combine(DAY, time(9), NEW_YORK)
    half = timedelta(minutes=30)
    common = {
        "provider": str(office.provider.pk),
        "location": str(office.location.pk),
        "time_zone": "America/New_York",
    }
    response = ask(desk, office)
    assert response.status_code == 200
    assert response["Cache-Control"] == "no-store"
    assert response.json() == [
        {"start": nine.isoformat(), "end": (nine + half).isoformat(), **common},
        {"start": (nine + half).isoformat(), "end": (nine + half + half).isoformat(), **common},
    ]


def test_times_are_shown_in_the_zone_asked_for(desk: MemberClient, office: Any) -> None:
    first = ask(desk, office, time_zone="Asia/Kathmandu").json()[0]
    assert first["time_zone"] == "Asia/Kathmandu"
    assert first["start"].endswith("+05:45")
    assert datetime.fromisoformat(first["start"]) == datetime.combine(DAY, time(9), NEW_YORK)


def test_provider_and_location_narrow_the_answer(desk: MemberClient, office: Any) -> None:
    with practice_scope(office.practice, actor=SETUP):
        second = calendar_of(office.practice, "Moor")
        open_daily(second)
    both = sorted([str(office.provider.pk), str(second.provider.pk)])
    assert [each["provider"] for each in ask(desk, office).json()] == both * 2
    for narrowed in ({"provider": second.provider.pk}, {"location": second.location.pk}):
        assert {each["provider"] for each in ask(desk, office, **narrowed).json()} == {str(second.provider.pk)}


def test_nothing_free_is_an_empty_list(desk: MemberClient, office: Any) -> None:
    with practice_scope(office.practice, actor=SETUP):
        PracticePolicy.objects.update(horizon_days=1)
    response = ask(desk, office)
    assert (response.status_code, response.json()) == (200, [])


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"appointment_type": None}, ("/appointment_type", "required", "query")),
        ({"from": None}, ("/from", "required", "query")),
        ({"to": None}, ("/to", "required", "query")),
        ({"appointment_type": "five"}, ("/appointment_type", "invalid", "query")),
        ({"appointment_type": uuid4()}, ("/appointment_type", "does_not_exist", "query")),
        ({"provider": uuid4()}, ("/provider", "does_not_exist", "query")),
        ({"location": uuid4()}, ("/location", "does_not_exist", "query")),
        ({"time_zone": "Mars/Base"}, ("/time_zone", "invalid", "query")),
        ({"time_zone": "../etc/passwd"}, ("/time_zone", "invalid", "query")),
        ({"from": "2027-03-14T02:30:00"}, ("/from", "invalid", "query")),
        ({"from": "0000-01-01T00:00:00Z"}, ("/from", "invalid", "query")),
        ({"to": "2020-01-01T00:00:00Z"}, ("/to", "invalid", "query")),
        ({"colour": "red"}, ("/colour", "unknown_parameter", "query")),
    ],
)
def test_wrong_parameters_are_refused(
    desk: MemberClient, office: Any, changes: dict[str, Any], expected: tuple[str, str, str]
) -> None:
    assert refusals(ask(desk, office, **changes)) == [expected]


def test_a_window_is_at_least_something_and_at_most_sixty_days(desk: MemberClient, office: Any) -> None:
    start = datetime.combine(DAY, time(0), UTC)
    window = {"from": start, "to": start + timedelta(days=60)}
    assert ask(desk, office, **window).status_code == 200
    assert refusals(ask(desk, office, **window | {"to": window["to"] + timedelta(seconds=1)})) == [
        ("/to", "too_long", "query")
    ]
    assert refusals(ask(desk, office, **window | {"to": start})) == [("/to", "invalid", "query")]


@pytest.mark.parametrize(
    "window", [("0002-01-01T00:00:00Z", "0002-02-01T00:00:00Z"), ("9998-12-01T00:00:00Z", "9998-12-31T23:59:59Z")]
)
def test_the_ends_of_time_have_no_free_times(desk: MemberClient, office: Any, window: tuple[str, str]) -> None:
    response = ask(desk, office, **{"from": window[0], "to": window[1]})
    assert (response.status_code, response.json()) == (200, [])


@pytest.mark.parametrize("name", ["appointment_type", "provider", "location"])
def test_another_practice_s_ids_are_answered_like_unknown_ones(
    desk: MemberClient, office: Any, other_practice: Practice, name: str
) -> None:
    with practice_scope(other_practice, actor=SETUP):
        stranger = calendar_of(other_practice)
    foreign = {"appointment_type": stranger.visit, "provider": stranger.provider, "location": stranger.location}[name]
    of_foreign, of_unknown = ask(desk, office, **{name: foreign.pk}), ask(desk, office, **{name: uuid4()})
    assert refusals(of_foreign) == refusals(of_unknown) == [(f"/{name}", "does_not_exist", "query")]


@pytest.mark.parametrize("role", Role.values)
def test_every_role_may_see_free_times(office: Any, role: str) -> None:
    assert ask(client_for(role, office.practice), office).status_code == 200


def test_without_a_token_nothing_is_said(office: Any) -> None:
    response = ask(MemberClient(), office)
    assert (response.status_code, response.json()["code"]) == (401, "not_authenticated")


@pytest.mark.parametrize("providers", [1, 3])
def test_the_number_of_statements_is_fixed(
    desk: MemberClient, office: Any, django_assert_max_num_queries: DjangoAssertNumQueries, providers: int
) -> None:
    with practice_scope(office.practice, actor=SETUP):
        for number in range(1, providers):
            open_daily(calendar_of(office.practice, f"Number{number}"))
    with django_assert_max_num_queries(8) as statements:
        assert len(ask(desk, office).json()) == providers * 2
    selects = [each["sql"] for each in statements.captured_queries if "appointments_" in each["sql"]]
    assert len(selects) == 2  # type, and all that decides


# --- What a visit needs beside the provider ------------------------------------------------------------


def starts(response: Any) -> list[str]:
    assert response.status_code == 200, response.content
    return [each["start"][11:16] for each in response.json()]


def occupy(office: Any, resource: Any, opens: time, closes: time, lane: int = 0) -> None:
    """In the practice's scope."""
    begin, end = (datetime.combine(DAY, at, NEW_YORK) for at in (opens, closes))
    visit = make_row(Appointment, start=begin, end=end)
    ResourceAllocation.objects.create(appointment=visit, resource=resource, lane=lane, start=begin, end=end)


def test_resources_that_are_named_have_to_be_free_too(desk: MemberClient, office: Any) -> None:
    with practice_scope(office.practice, actor=SETUP):
        laser = Resource.objects.create(kind="equipment", name="Laser", capacity=2)
        occupy(office, office.room, time(9), time(9, 30))
        occupy(office, laser, time(9, 30), time(10))
    assert starts(ask(desk, office)) == ["09:00", "09:30"]
    assert starts(ask(desk, office, resources=office.room.pk)) == ["09:30"]
    assert starts(ask(desk, office, resources=f"{office.room.pk},{laser.pk}")) == ["09:30"]
    with practice_scope(office.practice, actor=SETUP):
        occupy(office, laser, time(9, 30), time(10), lane=1)
    assert starts(ask(desk, office, resources=f"{office.room.pk},{laser.pk}")) == []
    assert starts(ask(desk, office, resources=office.calendar.pk)) == []  # booking takes it anyway, and once only


def test_any_room_will_do_for_a_type_that_requires_one(desk: MemberClient, office: Any) -> None:
    with practice_scope(office.practice, actor=SETUP):
        office.visit.required_resource_kinds = ["room"]
        office.visit.save()
        occupy(office, office.room, time(9), time(10))
        spare = Resource.objects.create(kind="room", name="Spare", location=office.location)
        elsewhere = Location.objects.create(name="Moor Street")
    assert starts(ask(desk, office)) == ["09:00", "09:30"]
    with practice_scope(office.practice, actor=SETUP):
        occupy(office, spare, time(9), time(9, 30))
    assert starts(ask(desk, office)) == ["09:30"]
    with practice_scope(office.practice, actor=SETUP):
        Resource.objects.filter(kind="room").update(location=elsewhere)
    assert starts(ask(desk, office)) == []


@pytest.mark.parametrize(
    ("resources", "code"),
    [("x", "invalid"), (uuid4(), "does_not_exist"), (",".join(str(uuid4()) for _ in range(11)), "max_length")],
)
def test_resources_that_make_no_sense_are_refused(desk: MemberClient, office: Any, resources: Any, code: str) -> None:
    assert refusals(ask(desk, office, resources=resources)) == [("/resources", code, "query")]


def test_another_practice_s_resource_is_unknown(desk: MemberClient, office: Any, other_practice: Practice) -> None:
    with practice_scope(other_practice, actor=SETUP):
        room = calendar_of(other_practice).room
    assert refusals(ask(desk, office, resources=room.pk)) == [("/resources", "does_not_exist", "query")]


# --- The next free time --------------------------------------------------------------------------------


def ask_next(client: MemberClient, office: Any, **query: Any) -> Any:
    return client.get("/api/v1/free-times/next", {"appointment_type": office.visit.pk, **query})


def test_next_free_time_is_the_first_of_all_providers(desk: MemberClient, office: Any) -> None:
    midnight = datetime.combine(DAY, time(0), NEW_YORK).isoformat()
    with practice_scope(office.practice, actor=SETUP):
        second = calendar_of(office.practice, "Moor")
        open_daily(second, time(8), time(9))
    (first,) = ask_next(desk, office, **{"from": midnight}).json()
    assert (first["provider"], first["start"][11:16]) == (str(second.provider.pk), "08:00")
    (own,) = ask_next(desk, office, **{"from": midnight, "provider": office.provider.pk}).json()
    assert (own["provider"], own["start"][11:16]) == (str(office.provider.pk), "09:00")
    assert len(ask_next(desk, office, limit=5).json()) == 5


def test_next_free_time_is_looked_for_as_far_as_the_window_goes(desk: MemberClient, office: Any) -> None:
    with practice_scope(office.practice, actor=SETUP):
        AvailabilityRule.objects.update(valid_from=DAY + timedelta(days=30))
    (first,) = ask_next(desk, office).json()
    assert first["start"][:10] == (DAY + timedelta(days=30)).isoformat()
    until = datetime.combine(DAY + timedelta(days=29), time(0), NEW_YORK).isoformat()
    assert ask_next(desk, office, to=until).json() == []


@pytest.mark.parametrize(
    ("query", "pointer", "code"),
    [
        ({"limit": 0}, "/limit", "min_value"),
        ({"limit": 51}, "/limit", "max_value"),
        ({"limit": "many"}, "/limit", "invalid"),
        ({"from": "2027-01-01T00:00:00Z", "to": "2027-04-01T00:00:00Z"}, "/to", "too_long"),
        ({"appointment_type": uuid4()}, "/appointment_type", "does_not_exist"),
    ],
)
def test_next_with_wrong_parameters_is_refused(
    desk: MemberClient, office: Any, query: dict[str, Any], pointer: str, code: str
) -> None:
    assert refusals(ask_next(desk, office, **query)) == [(pointer, code, "query")]


def test_next_at_the_end_of_time_is_nothing(desk: MemberClient, office: Any) -> None:
    assert ask_next(desk, office, **{"from": "9998-12-31T00:00:00Z"}).json() == []
