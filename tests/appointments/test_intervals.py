from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from appointments.intervals import Interval, clip, crowded, merge, subtract

intervals = st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)), max_size=12)


def points(found: list[Interval]) -> list[int]:
    return [point for start, end in found for point in range(start, end)]


def is_tidy(found: list[Interval]) -> bool:
    return all(a < b for a, b in found) and all(b < c for (_, b), (c, _) in pairwise(found))


def test_merge_joins_what_touches_and_drops_what_is_empty() -> None:
    assert merge([(5, 7), (1, 3), (3, 4), (9, 9), (6, 6)]) == [(1, 4), (5, 7)]


def test_subtract_cuts_both_edges_and_holes_that_span_two() -> None:
    assert subtract([(0, 10), (20, 30)], [(0, 2), (4, 5), (8, 24), (29, 40)]) == [(2, 4), (5, 8), (24, 29)]


def test_crowded_counts_a_visit_that_ends_as_gone() -> None:
    assert crowded([(0, 10), (10, 20), (5, 12)], 2) == [(5, 12)]
    assert crowded([(0, 10), (10, 20)], 2) == []


@given(intervals, intervals)
def test_results_are_tidy_and_agree_with_sets_of_points(one: list[Interval], other: list[Interval]) -> None:
    first, second = merge(one), merge(other)
    left = subtract(first, second)
    assert is_tidy(first)
    assert points(first) == sorted({point for a, b in one for point in range(a, b)})
    assert is_tidy(left)
    assert points(left) == sorted(set(points(first)) - set(points(second)))


@given(intervals, st.integers(1, 4))
def test_crowded_agrees_with_counting_at_each_point(some: list[Interval], limit: int) -> None:
    counted = [point for point in range(41) if sum(a <= point < b for a, b in some) >= limit]
    assert points(crowded(some, limit)) == counted


@given(intervals, st.integers(0, 40), st.integers(0, 40))
def test_clip_keeps_the_points_inside(some: list[Interval], start: int, end: int) -> None:
    merged = merge(some)
    assert points(clip(merged, start, end)) == [point for point in points(merged) if start <= point < end]
