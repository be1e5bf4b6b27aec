"""Pairs of charts that may be one person's, found in a whole practice.

Nobody is compared with everybody: only those are compared that have a contact point, an identifier, or a birth date
and an initial in common. What more than MOST_SHARING charts have in common (a care home's telephone) says nothing and
is left out, so the work grows with the number of charts, not with its square.
"""

from collections.abc import Iterator
from heapq import nlargest
from typing import Any, NamedTuple
from uuid import UUID

from django.db import connection

from patients.likeness import THRESHOLD, Likeness, Person, likeness
from practices.tenancy import active_practice_id

MOST_SHARING = 20
CHUNK = 5000
_COLUMNS = ("given_name", "family_name", "preferred_name", "birth_date", "birth_date_precision", "sex")


def _person_sql(chart: str, numbers: str) -> str:
    return ", ".join([*(f"{chart}.{name}" for name in _COLUMNS), f"coalesce({numbers}.all, '{{}}')"])


_PAIRS = f"""
WITH sharing AS (
    SELECT DISTINCT 'birth' AS kind, p.birth_date || left(n.word, 1) AS value, p.id
    FROM patients_patient AS p JOIN patients_patientname AS n ON n.practice_id = p.practice_id AND n.patient_id = p.id
    WHERE p.practice_id = %(practice)s AND p.birth_date_precision = 'day' AND p.birth_date IS NOT NULL
    UNION SELECT kind, value_index, patient_id FROM patients_contactpoint
    WHERE practice_id = %(practice)s AND value_index <> ''
    UNION SELECT 'identifier', type || value_index, patient_id FROM patients_patientidentifier
    WHERE practice_id = %(practice)s AND value_index <> ''
), groups AS (
    SELECT kind, array_agg(id) AS ids FROM sharing GROUP BY kind, value HAVING count(*) BETWEEN 2 AND %(most)s
), pairs AS (
    SELECT one AS first, other AS second, array_agg(DISTINCT kind) FILTER (WHERE kind <> 'birth') AS shared
    FROM groups, unnest(ids) AS one, unnest(ids) AS other WHERE one < other GROUP BY 1, 2
), numbers AS MATERIALIZED (
    SELECT patient_id, array_agg(type || value_index) AS all FROM patients_patientidentifier
    WHERE practice_id = %(practice)s AND type IN ('SS', 'NI') GROUP BY patient_id
)
SELECT a.id, b.id, coalesce(pairs.shared, '{{}}'),
    CASE WHEN a.created_at > b.created_at THEN a.duplicate_reason ELSE b.duplicate_reason END <> '',
    {_person_sql("a", "mine")}, {_person_sql("b", "theirs")}
FROM pairs
JOIN patients_patient AS a ON a.practice_id = %(practice)s AND a.id = pairs.first AND a.status <> 'merged'
JOIN patients_patient AS b ON b.practice_id = %(practice)s AND b.id = pairs.second AND b.status <> 'merged'
LEFT JOIN numbers AS mine ON mine.patient_id = a.id
LEFT JOIN numbers AS theirs ON theirs.patient_id = b.id
WHERE NOT EXISTS (
    SELECT FROM patients_duplicatecandidate AS known
    WHERE known.practice_id = %(practice)s AND known.first_id = a.id AND known.second_id = b.id
)
"""  # noqa: S608  # names of ours


class Pair(NamedTuple):
    """Of two ids the lesser is `first`."""

    first: UUID
    second: UUID
    likeness: Likeness


def likely_pairs(most: int) -> list[Pair]:
    """The likeliest of the active practice that nobody was shown yet, best first. One statement, read in pieces."""
    likely = (pair for pair in _pairs() if pair.likeness.score >= THRESHOLD)
    return nlargest(most, likely, key=lambda pair: (pair.likeness.score, pair.second))


def _pairs() -> Iterator[Pair]:
    with connection.chunked_cursor() as cursor:
        cursor.execute(_PAIRS, {"practice": active_practice_id(), "most": MOST_SHARING})
        while rows := cursor.fetchmany(CHUNK):
            yield from (_compared(*row) for row in rows)


def _compared(first: UUID, second: UUID, shared: list[str], told_apart: bool, *values: Any) -> Pair:
    width = len(_COLUMNS) + 1
    one, other = _person(*values[:width]), _person(*values[width:])
    return Pair(first, second, likeness(one, other, shared=shared, told_apart=told_apart))


def _person(*values: Any) -> Person:
    *plain, numbers = values
    return Person(
        **dict(zip(_COLUMNS, plain, strict=True)), numbers=frozenset((each[:2], each[2:]) for each in numbers)
    )
