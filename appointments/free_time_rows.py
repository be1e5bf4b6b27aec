"""Free times as answers show them."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from appointments.free_times import FreeTime, Visit


def as_json(free: FreeTime, visit: Visit, shown_in: ZoneInfo | None = None) -> dict[str, Any]:
    """One, on the clock of `shown_in`, else of the hours' own zone."""
    start, calendar = free
    zone = shown_in or calendar.zone
    return {
        "start": datetime.fromtimestamp(start, zone),
        "end": datetime.fromtimestamp(start + visit.duration, zone),
        "provider": calendar.provider,
        "location": calendar.location,
        "time_zone": zone.key,
    }


def rows(found: Iterable[FreeTime], visit: Visit, shown_in: ZoneInfo | None = None) -> Iterator[dict[str, Any]]:
    """The same for thousands, all values as text: times that many providers share are written once."""
    clocks: dict[str, _Clock] = {}
    places: dict[int, tuple[_Clock, str, str | None, str]] = {}
    for start, calendar in found:
        place = places.get(id(calendar))
        if place is None:
            zone = shown_in or calendar.zone
            clock = clocks.setdefault(zone.key, _Clock(zone))
            location = str(calendar.location) if calendar.location else None
            place = places[id(calendar)] = (clock, str(calendar.provider), location, zone.key)
        clock, provider, location, name = place
        yield {
            "start": clock[start],
            "end": clock[start + visit.duration],
            "provider": provider,
            "location": location,
            "time_zone": name,
        }


class _Clock(dict[int, str]):
    """Seconds -> what is written for that instant in the zone."""

    def __init__(self, zone: ZoneInfo) -> None:
        self.zone = zone

    def __missing__(self, second: int) -> str:
        text = datetime.fromtimestamp(second, self.zone).isoformat()
        self[second] = text = f"{text[:-6]}Z" if text.endswith("+00:00") else text
        return text
