"""Refusals of the practice's calendar, as problems with codes that a client can act on."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from config.api.problem import Conflict


@dataclass(frozen=True, slots=True)
class Collision:
    """A row that hours collide with: what it is, its id, and words for people."""

    type: str
    id: UUID
    description: str

    def as_json(self) -> dict[str, Any]:
        return {"type": self.type, "id": self.id, "description": self.description}


class AvailabilityConflict(Conflict):
    code = "availability_conflict"

    def __init__(self, collisions: Sequence[Collision]) -> None:
        named = "; ".join(each.description for each in collisions[:5])
        super().__init__(
            f"These hours collide with others: {named}.", collides_with=[each.as_json() for each in collisions]
        )
