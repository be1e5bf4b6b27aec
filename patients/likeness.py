"""How likely two charts are one person's: points for what they share, fewer for what sets them apart.

docs/decisions/duplicates.md tells the points, and how many pairs they find and miss.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from functools import lru_cache

from rapidfuzz.distance import OSA, JaroWinkler

from patients.models import DuplicateCandidate
from patients.names import normalise

THRESHOLD = 60
"""From here on a pair is shown to people."""

Match = DuplicateCandidate.Match
NAME, BIRTH_DATE, SIMILAR_BIRTH_DATE, PARTIAL_BIRTH_DATE = 20, 30, 15, 10
CONTACT, SECOND_CONTACT, IDENTIFIER = 20, 10, 45
OTHER_GIVEN_NAME, OTHER_BIRTH_DATE, OTHER_SEX, OTHER_NUMBER, TOLD_APART = -25, -25, -10, -30, -15
UNLIKE, ALIKE = 0.7, 0.95
"""Similarities of two names between which they earn ever more points."""
PART_OF = 0.95
SEXES = {"male", "female"}


@dataclass(frozen=True, slots=True)
class Person:
    """What is compared of a chart. `numbers`: (type, blind index) of identifiers that people have one of."""

    given_name: str
    family_name: str
    preferred_name: str
    birth_date: date | None
    birth_date_precision: str
    sex: str
    numbers: frozenset[tuple[str, str]] = frozenset()


@dataclass(frozen=True, slots=True)
class Likeness:
    score: int
    matched: tuple[str, ...]


def likeness(one: Person, other: Person, *, shared: Iterable[str], told_apart: bool) -> Likeness:
    """`shared`: which of phone, email and identifier they have in common. `told_apart`: the later chart was created
    against a warning.
    """
    points, matched = 0.0, []
    for found, match in (_names(one, other), _birth_dates(one, other)):
        points += found
        matched += [match] if match else []
    both = [match for match in (Match.PHONE, Match.EMAIL, Match.IDENTIFIER) if match in set(shared)]
    points += _shared(both)
    if {one.sex, other.sex} == SEXES:
        points += OTHER_SEX
    if _numbers_differ(one, other):
        points += OTHER_NUMBER
    if told_apart:
        points += TOLD_APART
    return Likeness(min(100, max(0, round(points))), (*matched, *both))


def _shared(both: list[Match]) -> int:
    """Families share a telephone, so a second contact is worth less than the first."""
    contacts = len([match for match in both if match != Match.IDENTIFIER])
    return (0, CONTACT, CONTACT + SECOND_CONTACT)[contacts] + (IDENTIFIER if Match.IDENTIFIER in both else 0)


def _names(one: Person, other: Person) -> tuple[float, str]:
    """Given and family name, or the one typed in the place of the other; a preferred name stands for the given one."""
    given = max(similarity(a, b) for a in _given_names(one) for b in _given_names(other))
    straight = given, similarity(one.family_name, other.family_name)
    swapped = similarity(one.given_name, other.family_name), similarity(one.family_name, other.given_name)
    given, family = max(straight, swapped, key=sum)
    points = NAME * (_share(given) + _share(family))
    if given < UNLIKE:
        return points + OTHER_GIVEN_NAME, ""
    if given == family == 1:
        return points, Match.NAME
    return points, Match.SIMILAR_NAME if family >= UNLIKE else ""


def _given_names(person: Person) -> tuple[str, ...]:
    return (person.given_name, person.preferred_name) if person.preferred_name else (person.given_name,)


@lru_cache(maxsize=100_000)
def similarity(one: str, other: str) -> float:
    """1 for the same name, 0 for names with nothing in common. One of several words is nearly the whole name."""
    a, b = normalise(one), normalise(other)
    if a == b:
        return 1.0
    words = set(a.split()), set(b.split())
    if words[0] and words[1] and (words[0] <= words[1] or words[1] <= words[0]):
        return PART_OF
    return JaroWinkler.similarity(a, b)


def _share(alike: float) -> float:
    return min(1.0, max(0.0, (alike - UNLIKE) / (ALIKE - UNLIKE)))


def _birth_dates(one: Person, other: Person) -> tuple[int, str]:
    if one.birth_date is None or other.birth_date is None:
        return 0, ""
    if {one.birth_date_precision, other.birth_date_precision} != {"day"}:
        return _partial_birth_dates(one, other)
    if one.birth_date == other.birth_date:
        return BIRTH_DATE, Match.BIRTH_DATE
    if _mistyped(one.birth_date, other.birth_date):
        return SIMILAR_BIRTH_DATE, Match.SIMILAR_BIRTH_DATE
    return OTHER_BIRTH_DATE, ""


def _partial_birth_dates(one: Person, other: Person) -> tuple[int, str]:
    """As far as both are known."""
    known = 4 if "year" in (one.birth_date_precision, other.birth_date_precision) else 7
    if str(one.birth_date)[:known] == str(other.birth_date)[:known]:
        return PARTIAL_BIRTH_DATE, Match.SIMILAR_BIRTH_DATE
    return OTHER_BIRTH_DATE, ""


def _mistyped(one: date, other: date) -> bool:
    """One digit, two neighbours, or day and month the other way round."""
    if (one.year, one.month, one.day) == (other.year, other.day, other.month):
        return True
    return OSA.distance(one.isoformat(), other.isoformat(), score_cutoff=1) == 1


def _numbers_differ(one: Person, other: Person) -> bool:
    """Both have a number of a type, and none of them is the same."""
    types = {kind for kind, _ in one.numbers} & {kind for kind, _ in other.numbers}
    return any(
        not {each for each in one.numbers if each[0] == kind} & {each for each in other.numbers if each[0] == kind}
        for kind in types
    )
