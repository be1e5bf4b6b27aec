import datetime as dt
from uuid import UUID

from argon2 import PasswordHasher
from argon2.exceptions import VerificationError
from fastapi import APIRouter, HTTPException, Request
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel, ConfigDict
from sqlalchemy import select

from tests.benchmarks.peer.audit import record
from tests.benchmarks.peer.database import Session
from tests.benchmarks.peer.security import Member, sign
from tests.benchmarks.peer.tables import Membership, Practice, User

router = APIRouter(prefix="/api/v1/auth")
MINUTES = 10
hasher = PasswordHasher()


class Credentials(BaseModel):
    grant_type: str
    username: str
    password: str


class PracticeSummary(BaseModel):
    model_config = ConfigDict(from_attributes=True)
    id: UUID
    name: str
    slug: str


class Tokens(BaseModel):
    access_token: str
    refresh_token: str
    token_type: str
    expires_in: int
    practice: PracticeSummary
    role: str
    roles: list[str]


@router.post("/token")
async def log_in(request: Request, session: Session, given: Credentials) -> Tokens:
    """The refresh token stands for itself: the replaced stack keeps no session behind it."""
    user = await session.scalar(select(User).where(User.email == given.username.strip().lower(), User.is_active))
    if user is None or not await run_in_threadpool(_is_right, user.password, given.password):
        raise HTTPException(401, "The email address or the password is wrong.")
    rows = await session.execute(
        select(Membership, Practice)
        .join(Practice, Practice.id == Membership.practice_id)
        .where(Membership.user_id == user.id, Membership.status == "active", Practice.status == "active")
    )
    membership, practice = rows.one()
    member = Member(user, practice.id, membership.roles)
    await record(session, request, member, "login", "accounts.user", entity_id=user.id)
    await session.commit()
    claims = {"sub": str(user.id), "practice": str(practice.id), "ver": user.token_version}
    return Tokens(
        access_token=sign("access", dt.timedelta(minutes=MINUTES), **claims),
        refresh_token=sign("refresh", dt.timedelta(days=14), **claims),
        token_type="bearer",
        expires_in=MINUTES * 60,
        practice=PracticeSummary.model_validate(practice),
        role=membership.roles[0],
        roles=membership.roles,
    )


def _is_right(stored: str, password: str) -> bool:
    """Django writes argon2's own text behind the name of the hasher."""
    try:
        return hasher.verify(stored.removeprefix("argon2"), password)
    except VerificationError:
        return False
