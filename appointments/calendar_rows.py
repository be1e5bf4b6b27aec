"""What decides about free times, read in one statement however many providers, days and visits.

Written out in SQL: composing five queries with the ORM takes longer than PostgreSQL takes to answer them. Each calendar
looks up its own allocations, so that no statistics can make the planner read all that a practice ever booked.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, ClassVar
from uuid import UUID

import orjson
from django.db import connection

from practices.tenancy import active_practice_id

LONGEST = timedelta(days=1, minutes=2 * 32_767)
"""No allocation is longer: a visit of a day, with buffers that fill their columns."""

_SQL = """
WITH practice AS MATERIALIZED (
    SELECT time_zone AS usual_zone FROM practices_practice WHERE id = %(practice)s
), calendar AS MATERIALIZED (
    SELECT resource.id, resource.provider_id, resource.capacity, nullif(profile.time_zone, '') AS zone
    FROM practices_resource AS resource
    JOIN accounts_providerprofile AS profile
        ON profile.practice_id = resource.practice_id AND profile.id = resource.provider_id
    WHERE resource.practice_id = %(practice)s AND resource.kind = 'provider' AND resource.active AND profile.active
        AND (%(provider)s::uuid IS NULL OR resource.provider_id = %(provider)s)
), house AS MATERIALIZED (
    SELECT id, nullif(time_zone, '') AS zone FROM practices_location
    WHERE practice_id = %(practice)s AND active AND (%(location)s::uuid IS NULL OR id = %(location)s)
), rule AS MATERIALIZED (
    SELECT rule.*, house.zone AS house_zone, coalesce(nullif(rule.time_zone, ''), house.zone, calendar.zone) AS zone
    FROM appointments_availabilityrule AS rule
    JOIN calendar ON calendar.id = rule.resource_id JOIN house ON house.id = rule.location_id
    WHERE rule.practice_id = %(practice)s AND rule.valid_from <= %(last)s
        AND (rule.valid_to IS NULL OR rule.valid_to >= %(first)s)
), exception AS MATERIALIZED (
    SELECT exception.*, house.zone AS house_zone, coalesce(house.zone, calendar.zone) AS zone
    FROM appointments_availabilityexception AS exception
    JOIN calendar ON calendar.id = exception.resource_id LEFT JOIN house ON house.id = exception.location_id
    WHERE exception.practice_id = %(practice)s AND exception.start_date <= %(last)s
        AND exception.end_date >= %(first)s AND (exception.location_id IS NULL OR house.id IS NOT NULL)
), expired AS MATERIALIZED (
    SELECT hold.id FROM appointments_appointment AS hold
    LEFT JOIN appointments_groupvisit AS shared
        ON shared.practice_id = hold.practice_id AND shared.id = hold.group_id
    WHERE hold.practice_id = %(practice)s AND hold.status = 'pending' AND hold.hold_expires_at <= %(now)s
        AND (shared.id IS NULL OR shared.taken = 1)
), taken AS MATERIALIZED (
    SELECT found.* FROM (SELECT resource_id FROM rule UNION SELECT resource_id FROM exception) AS wanted
    CROSS JOIN LATERAL (
        SELECT resource_id, appointment_id, lane, "start", "end" FROM appointments_resourceallocation
        WHERE practice_id = %(practice)s AND resource_id = wanted.resource_id AND blocking
            AND "end" > %(since)s AND "end" < %(longest)s AND "start" < %(until)s
        OFFSET 0
    ) AS found
    WHERE found.appointment_id NOT IN (SELECT id FROM expired)
)
SELECT json_build_object(
    'policy', (
        SELECT json_build_array(min_notice_minutes, horizon_days) FROM practices_practicepolicy
        WHERE practice_id = %(practice)s
    ),
    'calendars', (SELECT json_object_agg(id, json_build_array(provider_id, capacity)) FROM calendar),
    'weekly', (
        SELECT json_agg(json_build_array(
            resource_id, location_id, coalesce(zone, usual_zone), coalesce(house_zone, usual_zone),
            weekday, start_time, end_time, valid_from, valid_to, every_n_weeks
        )) FROM rule
    ),
    'extra', (
        SELECT json_agg(json_build_array(
            resource_id, location_id, coalesce(zone, usual_zone), coalesce(house_zone, usual_zone),
            start_date, end_date, start_time, end_time
        )) FROM exception WHERE kind = 'extra'
    ),
    'closed', (
        SELECT json_agg(json_build_array(resource_id, location_id, start_date, end_date, start_time, end_time))
        FROM exception WHERE kind = 'closed'
    ),
    'closures', (
        SELECT json_agg(json_build_array(location_id, start_date, end_date, start_time, end_time))
        FROM practices_closure
        WHERE practice_id = %(practice)s AND start_date <= %(last)s AND end_date >= %(first)s
    ),
    'taken', (
        SELECT json_object_agg(resource_id, periods) FROM (
            SELECT resource_id, json_agg(json_build_array(
                lane, floor(extract(epoch FROM "start"))::bigint, ceil(extract(epoch FROM "end"))::bigint
            )) AS periods
            FROM taken GROUP BY resource_id
        ) AS by_resource
    )
)::text
FROM practice
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class CalendarRows:
    """As JSON has them: ids, dates and times as text, instants in whole seconds."""

    NOTHING: ClassVar[Mapping[str, Any]] = {"policy": None, "calendars": {}, "taken": {}}

    policy: tuple[int, int] | None
    """Notice in minutes and horizon in days."""
    calendars: Mapping[str, tuple[str, int]]
    """Resource -> provider and capacity."""
    weekly: Sequence[Any]
    """resource, location, zone, the location's zone; weekday, from, to, valid from, valid to, every n weeks."""
    extra: Sequence[Any]
    """resource, location, zone, the location's zone; first day, last day, from, to."""
    closed: Sequence[Any]
    """resource, location or None; first day, last day, from, to."""
    closures: Sequence[Any]
    """location or None; first day, last day, from, to."""
    taken: Mapping[str, Sequence[tuple[int, int, int]]]
    """Resource -> lane, start, end."""


def read(
    *,
    provider: UUID | None,
    location: UUID | None,
    dates: tuple[date, date],
    taken: tuple[datetime, datetime],
    now: datetime,
) -> CalendarRows:
    """Of the providers in use at the locations in use: hours on any of the dates, and what is taken between instants.

    A hold that has run out takes nothing, though nobody released it yet. Raises NoActivePractice.
    """
    values = {
        "practice": active_practice_id(),
        "provider": provider,
        "location": location,
        "first": dates[0],
        "last": dates[1],
        "since": taken[0],
        "until": taken[1],
        "longest": taken[1] + LONGEST,  # else all the future is looked at
        "now": now,
    }
    with connection.cursor() as cursor:
        cursor.execute(_SQL, values)
        found = orjson.loads(cursor.fetchone()[0])
    return CalendarRows(**{name: rows or CalendarRows.NOTHING.get(name, ()) for name, rows in found.items()})
