from typing import ClassVar

from django.conf import settings
from django.db import models
from django.utils.timezone import localtime

from integrations.events.querysets import EventLogManager
from practices.fields import SamePracticeForeignKey
from practices.models import TenantModel


class EventCounter(TenantModel):
    """The practice's last event number. Its row lock, held to the commit, is what makes numbers follow commits."""

    area = "appointments"
    audited = False  # counts events, each of which follows from an audited change

    last_seq = models.BigIntegerField(default=0)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["practice"], name="one_event_counter_per_practice")]

    def __str__(self) -> str:
        return str(self.last_seq)


class EventLog(TenantModel):
    """That a row changed, for whoever follows the practice live: which one and how, never what it holds.

    Numbered per practice without gaps, in the order of the commits: who has read up to n misses nothing below n.
    """

    area = "appointments"
    audited = False  # follows from a change that is audited itself

    seq = models.BigIntegerField()
    type = models.CharField(max_length=60, db_collation="C")
    entity_id = models.UUIDField()
    version = models.PositiveIntegerField()

    objects: ClassVar[EventLogManager] = EventLogManager()

    class Meta:
        ordering = ["seq"]
        constraints = [models.UniqueConstraint(fields=["practice", "seq"], name="event_seq_unique")]

    def __str__(self) -> str:
        return f"{self.seq} {self.type}"


class WebSocketTicket(TenantModel):
    """Lets one connection in, once, instead of the access token, which a URL would carry into logs."""

    area = "members"
    audited = False  # lives for seconds and is deleted by its use

    digest = models.CharField(max_length=64)
    """SHA-256 of the ticket, in hexadecimal."""
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+", db_index=False)
    session = SamePracticeForeignKey("accounts.RefreshSession", models.CASCADE, related_name="websocket_tickets")
    expires_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["practice", "digest"], name="websocket_ticket_digest_unique")]

    def __str__(self) -> str:
        return f"Ticket until {localtime(self.expires_at):%H:%M:%S}"
