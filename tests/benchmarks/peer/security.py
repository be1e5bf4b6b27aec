"""Who asks: the token's user and their membership, fetched on every request."""

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any
from uuid import UUID

import jwt
from fastapi import Depends, HTTPException
from fastapi.security import OAuth2PasswordBearer
from sqlalchemy import select

from tests.benchmarks.peer.database import Session
from tests.benchmarks.peer.tables import Membership, User

KEY = os.environ["JWT_SIGNING_KEY"]
AUDIENCE, ISSUER = "practice-api", "practice-backend"
READS_APPOINTMENTS = frozenset({"owner", "admin", "provider", "assistant", "front_desk", "biller", "auditor"})
BOOKS = frozenset({"owner", "admin", "provider", "assistant", "front_desk"})
SEES_RESTRICTED = frozenset({"owner", "admin"})

bearer = OAuth2PasswordBearer("/api/v1/auth/token")


@dataclass(frozen=True, slots=True)
class Member:
    user: User
    practice_id: UUID
    roles: Sequence[str]

    @property
    def sees_restricted(self) -> bool:
        return not SEES_RESTRICTED.isdisjoint(self.roles)

    def require(self, roles: frozenset[str]) -> None:
        if roles.isdisjoint(self.roles):
            raise HTTPException(403, "Your role does not allow this.")


async def _member(session: Session, token: Annotated[str, Depends(bearer)]) -> Member:
    try:
        claims = jwt.decode(token, KEY, algorithms=["HS256"], audience=AUDIENCE, issuer=ISSUER, leeway=10)
        user_id, practice_id = UUID(claims["sub"]), UUID(claims["practice"])
    except (jwt.PyJWTError, KeyError, ValueError) as error:
        raise HTTPException(401, "Not authenticated.", {"WWW-Authenticate": "Bearer"}) from error
    found = await session.execute(
        select(User, Membership)
        .join(Membership, Membership.user_id == User.id)
        .where(User.id == user_id, Membership.practice_id == practice_id)
        .where(User.is_active, Membership.status == "active", User.token_version == claims["ver"])
    )
    row = found.first()
    if row is None:
        raise HTTPException(401, "Not authenticated.", {"WWW-Authenticate": "Bearer"})
    user, membership = row
    return Member(user, practice_id, membership.roles)


CurrentMember = Annotated[Member, Depends(_member)]


def sign(kind: str, lifetime: timedelta, **claims: Any) -> str:
    now = datetime.now(UTC)
    payload = {
        **claims,
        "token_type": kind,
        "iat": now,
        "nbf": now,
        "exp": now + lifetime,
        "aud": AUDIENCE,
        "iss": ISSUER,
        "jti": os.urandom(16).hex(),
    }
    kid = hashlib.sha256(b"kid:" + KEY.encode()).hexdigest()[:16]
    return jwt.encode(payload, KEY, "HS256", headers={"kid": kid})
