"""What the signals of accounts, and of charts, lead to, inside the transaction that sends them."""

from typing import Any
from uuid import UUID

from procrastinate.types import JSONDict

from accounts import signals
from accounts.models import Membership, RefreshSession, User
from accounts.roles import Role
from integrations.notices.text import Notice
from integrations.queue import enqueue
from integrations.tasks import send_notice
from patients.models import AccessGrant
from patients.signals import access_granted


def connect() -> None:
    signals.token_replayed.connect(on_replay, dispatch_uid="notices")
    signals.password_reset_requested.connect(on_reset_requested, dispatch_uid="notices")
    signals.password_changed.connect(on_password_changed, dispatch_uid="notices")
    signals.second_factor_changed.connect(on_second_factor_changed, dispatch_uid="notices")
    access_granted.connect(on_access_granted, dispatch_uid="notices")


def on_replay(sender: object, session: RefreshSession, **kwargs: Any) -> None:
    queue_notice(Notice.TOKEN_REPLAYED, user_id=session.user_id, session=session)


def on_reset_requested(sender: object, user_id: UUID, **kwargs: Any) -> None:
    queue_notice(Notice.PASSWORD_RESET, user_id=user_id)


def on_password_changed(sender: object, user: User, **kwargs: Any) -> None:
    queue_notice(Notice.PASSWORD_CHANGED, user_id=user.pk)


def on_second_factor_changed(sender: object, user_id: UUID, change: str, **kwargs: Any) -> None:
    queue_notice(Notice(f"second-factor-{change.replace(' ', '-')}"), user_id=user_id)


def on_access_granted(sender: object, grant: AccessGrant, **kwargs: Any) -> None:
    """Every owner of the practice hears of it; the chart is not named."""
    owners = Membership.objects.filter(roles__contains=[Role.OWNER], status=Membership.Status.ACTIVE)
    about = {"notice": Notice.ACCESS_GRANTED.value, "practice_id": str(grant.practice_id)}
    jobs: list[JSONDict] = [{**about, "user_id": str(user_id)} for user_id in owners.values_list("user_id", flat=True)]
    if jobs:
        enqueue(send_notice, *jobs)


def queue_notice(notice: Notice, *, user_id: UUID, session: RefreshSession | None = None) -> None:
    """In the caller's transaction: what is undone is not told."""
    about = {"practice_id": str(session.practice_id), "session_id": str(session.pk)} if session else {}
    enqueue(send_notice, {"notice": notice.value, "user_id": str(user_id), **about})
