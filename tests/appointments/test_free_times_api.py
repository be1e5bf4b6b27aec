from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from accounts.roles import Role
from appointments.models import AvailabilityRule
from practices.models import Practice, PracticePolicy
from practices.tenancy import Actor, practice_scope
from tests.appointments.conftest import calendar_of
from tests.clients import MemberClient, client_for

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
    with django_assert_max_num_queries(14) as statements:
        assert len(ask(desk, office).json()) == providers * 2
    selects = [each["sql"] for each in statements.captured_queries if "appointments_" in each["sql"]]
    assert len(selects) == 4  # type, exceptions, rules, what is taken
