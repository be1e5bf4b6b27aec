from collections.abc import Iterable
from datetime import UTC, datetime
from uuid import UUID

import uuid_utils.compat
from fastapi import Request
from sqlalchemy import insert

from tests.benchmarks.peer.database import Session
from tests.benchmarks.peer.security import Member
from tests.benchmarks.peer.tables import AuditEvent


def new_id() -> UUID:
    return uuid_utils.compat.uuid7()


async def record(
    session: Session,
    request: Request,
    member: Member,
    action: str,
    entity: str,
    *,
    patient_ids: Iterable[UUID] = (),
    entity_id: UUID | None = None,
) -> None:
    """One row per request: who did what to whose data."""
    event = {
        "id": new_id(),
        "practice_id": member.practice_id,
        "at": datetime.now(UTC),
        "actor_kind": "user",
        "actor_id": member.user.id,
        "actor_label": member.user.name,
        "roles": list(member.roles),
        "action": action,
        "entity": entity,
        "entity_id": entity_id,
        "patient_ids": list(patient_ids),
        "changes": {},
        "request_id": request.state.request_id,
        "ip": request.client.host if request.client else None,
        "operation": f"{request.method} {request.scope['route'].name}",
        "reason": "",
    }
    await session.execute(insert(AuditEvent).values(event))
