"""Refusals of the calendar, as problems with codes that a client can act on."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import Any
from uuid import UUID

from config.api.problem import Conflict, FieldError, ValidationProblem


@dataclass(frozen=True, slots=True)
class Occupied:
    """A stretch of a resource's time that something already occupies, buffers included."""

    resource: UUID
    start: datetime
    end: datetime

    def as_json(self) -> dict[str, Any]:
        return {"resource": self.resource, "start": self.start, "end": self.end}


class SlotUnavailable(Conflict):
    code = "slot_unavailable"
    default_detail = "Something else is booked at this time."

    def __init__(self, conflicts: Sequence[Occupied], suggestions: Sequence[dict[str, Any]] = ()) -> None:
        super().__init__(conflicts=[each.as_json() for each in conflicts], suggestions=list(suggestions))
        self.conflicts = conflicts


class InvalidTransition(Conflict):
    code = "invalid_transition"
    status_code = HTTPStatus.CONFLICT

    def __init__(self, status: str, allowed: Sequence[str]) -> None:
        super().__init__(f"This can't be done while the appointment is {status}.", allowed_transitions=list(allowed))


class HoldExpired(Conflict):
    code = "hold_expired"
    default_detail = "The hold has run out; book again."


class NothingToChange(Conflict):
    code = "nothing_to_change"
    default_detail = "No visit of this series is still to come and can be changed."


class NotWaiting(Conflict):
    code = "not_waiting"

    def __init__(self, status: str) -> None:
        super().__init__(f"This can't be done with an entry that is {status}.")


class NoFreeTime(Conflict):
    code = "no_free_time"
    default_detail = "Nothing that the patient wants is free."


def refuse(field: str, code: str, detail: str) -> ValidationProblem:
    """A 400 about one field of the request."""
    return ValidationProblem.of([FieldError(f"/{field}", code, detail)])
