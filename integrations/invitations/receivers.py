from typing import Any

from procrastinate.types import JSONDict

from accounts import signals
from accounts.models import Invitation
from integrations.queue import enqueue
from integrations.tasks import send_invitation


def connect() -> None:
    signals.invitation_made.connect(queue_mail, dispatch_uid="invitations")


def queue_mail(sender: object, invitation: Invitation, **kwargs: Any) -> None:
    """In the caller's transaction. The job carries ids; its token is made when it runs, and never stored."""
    ids: JSONDict = {"practice_id": str(invitation.practice_id), "invitation_id": str(invitation.pk)}
    enqueue(send_invitation, ids)
