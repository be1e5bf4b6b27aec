"""Arithmetic on half-open intervals `[start, end)` of integers.

Every list returned is sorted, without overlaps and without empty or touching members. Costs are linear once
sorted, and sorting what is already in order is linear too.
"""

from collections.abc import Iterable, Sequence

Interval = tuple[int, int]


def merge(intervals: Iterable[Interval]) -> list[Interval]:
    """The union; intervals that touch become one, empty ones disappear."""
    merged: list[Interval] = []
    start = end = None
    for next_start, next_end in sorted(intervals):
        if next_start >= next_end:
            continue
        if end is None or start is None:
            start, end = next_start, next_end
        elif next_start > end:
            merged.append((start, end))
            start, end = next_start, next_end
        elif next_end > end:
            end = next_end
    if start is not None and end is not None:
        merged.append((start, end))
    return merged


def subtract(whole: Sequence[Interval], holes: Sequence[Interval]) -> list[Interval]:
    """What is in `whole` and not in `holes`; both as `merge` returns them."""
    left: list[Interval] = []
    index, count = 0, len(holes)
    for start, end in whole:
        while index < count and holes[index][1] <= start:
            index += 1
        position, cursor = index, start
        while position < count and holes[position][0] < end:
            hole_start, hole_end = holes[position]
            if hole_start > cursor:
                left.append((cursor, hole_start))
            cursor = hole_end
            position += 1
        if cursor < end:
            left.append((cursor, end))
    return left


def clip(intervals: Iterable[Interval], start: int, end: int) -> list[Interval]:
    """The part of each interval that lies in `[start, end)`."""
    return [(max(a, start), min(b, end)) for a, b in intervals if a < end and b > start and start < end]


def crowded(intervals: Iterable[Interval], limit: int) -> list[Interval]:
    """Where `limit` or more of the intervals overlap."""
    edges = sorted(edge for a, b in intervals if a < b for edge in ((a, 1), (b, -1)))
    found: list[Interval] = []
    depth, since = 0, 0
    for at, change in edges:
        depth += change
        if change == 1 and depth == limit:
            since = at
        elif change == -1 and depth == limit - 1:
            found.append((since, at))
    return merge(found)
