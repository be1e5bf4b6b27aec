"""Free times as answers show them."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from appointments.free_times import Calendar, FreeTime, Visit


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


def as_text(found: Iterable[FreeTime], visit: Visit, shown_in: ZoneInfo | None = None) -> str:
    """The same for thousands, as a JSON array: what many of them share, a time or a place, is written once."""
    clocks: dict[str, _Clock] = {}
    places: dict[int, tuple[_Clock, str]] = {}

    def place_of(calendar: Calendar) -> tuple[_Clock, str]:
        zone = shown_in or calendar.zone
        clock = clocks.setdefault(zone.key, _Clock(zone, visit.duration))
        location = f'"{calendar.location}"' if calendar.location else "null"
        tail = f'"provider":"{calendar.provider}","location":{location},"time_zone":"{zone.key}"}},'
        return places.setdefault(id(calendar), (clock, tail))

    written = []
    for start, calendar in found:
        clock, tail = places.get(id(calendar)) or place_of(calendar)
        written.append(clock[start])
        written.append(tail)
    return f"[{''.join(written)[:-1]}]"


class _Clock(dict[int, str]):
    """Seconds -> how a row begins of a visit that starts then."""

    def __init__(self, zone: ZoneInfo, duration: int) -> None:
        self.zone, self.duration = zone, duration
        self._texts: dict[int, str] = {}

    def __missing__(self, second: int) -> str:
        self[second] = text = f'{{"start":"{self._shown(second)}","end":"{self._shown(second + self.duration)}",'
        return text

    def _shown(self, second: int) -> str:
        """Where one visit could end another could often start."""
        text = self._texts.get(second)
        if text is None:
            text = datetime.fromtimestamp(second, self.zone).isoformat()
            self._texts[second] = text = f"{text[:-6]}Z" if text.endswith("+00:00") else text
        return text
