from typing import Any, ClassVar, NoReturn

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils.timezone import localtime

from audit.querysets import AppendOnly, AppendOnlyQuerySet, AuditEventManager
from practices.fields import PracticeField
from practices.models import TenantModel, new_id


class EventFields(models.Model):
    """Who did what to which row, when and from where. Ids only: what an event is about may be gone later."""

    planned_for_values: ClassVar[bool] = True
    """Lists are planned for what they are filtered by: actions, actors and entities are so unequally frequent that a
    plan kept for any of them can read the whole log in search of a rare one.
    """

    class Action(models.TextChoices):
        CREATE = "create"
        UPDATE = "update"
        DELETE = "delete"
        READ = "read"
        LOGIN = "login"
        LOGIN_FAILED = "login-failed"
        LOGOUT = "logout"
        TOKEN_REPLAYED = "token-replayed"  # noqa: S105  # the name of an event
        DENIED = "denied"
        FAILED = "failed"
        EXPORT = "export"
        REENCRYPT = "reencrypt"
        UNATTRIBUTED = "unattributed"

    class ActorKind(models.TextChoices):
        USER = "user"
        SYSTEM = "system"
        ANONYMOUS = "anonymous"

    at = models.DateTimeField()
    actor_kind = models.CharField(max_length=10, choices=ActorKind.choices)
    actor_id = models.UUIDField(null=True)
    actor_label = models.CharField(max_length=200, blank=True)
    roles = ArrayField(models.CharField(max_length=20), default=list)
    action = models.CharField(max_length=20, choices=Action.choices)
    entity = models.CharField(max_length=100, blank=True, help_text="app.model, such as patients.patient")
    entity_id = models.UUIDField(null=True)
    patient_ids = ArrayField(models.UUIDField(), default=list)
    changes = models.JSONField(
        default=dict, help_text="{field: [before, after]}; null in place of the pair where values are not recorded."
    )
    request_id = models.CharField(max_length=128, blank=True)
    ip = models.GenericIPAddressField(null=True)
    operation = models.CharField(max_length=200, blank=True, help_text="Method and route, without ids.")
    reason = models.CharField(max_length=200, blank=True)
    status = models.PositiveSmallIntegerField(null=True, help_text="Of the answer, when it was a refusal.")

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return f"{self.action} {self.entity} at {localtime(self.at):%Y-%m-%d %H:%M:%S}"

    def save(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise AppendOnly

    def delete(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise AppendOnly


class AuditEvent(EventFields, TenantModel):
    """An event in a practice's own log. Written by `audit.recording` only, in one statement a transaction.

    Two columns more are the database's: the number of the transaction and the keyed hash (audit/content.py).
    """

    area = "audit"
    audited: ClassVar[bool] = False

    created_at = None  # type: ignore[assignment]  # Django's way to leave out an inherited field: `at` says it
    updated_at = None  # type: ignore[assignment]  # as above: never updated

    practice = PracticeField(db_constraint=False)
    """Without a key that would lock the practice's row for each event. Its seals' key keeps the practice."""
    access_grants = ArrayField(
        models.UUIDField(),
        default=list,
        db_default=[],
        help_text="The break-glass grants that were open to the actor for these patients.",
    )

    objects: ClassVar[AuditEventManager] = AuditEventManager()

    class Meta:
        ordering = ["-at", "-id"]
        indexes = [
            models.Index(fields=["practice", "at", "id"], name="audit_by_time"),
            models.Index(fields=["practice", "actor_id", "at", "id"], name="audit_by_actor"),
            models.Index(fields=["practice", "action", "at", "id"], name="audit_by_action"),
            models.Index(fields=["practice", "entity", "at", "id"], name="audit_by_entity"),
            models.Index(
                fields=["practice", "entity_id", "at", "id"],
                condition=models.Q(entity_id__isnull=False),
                name="audit_by_row",
            ),
        ]


class SealFields(models.Model):
    """A link of a chain: all rows of the transactions from `since` up to below `until`."""

    seq = models.BigIntegerField()
    since = models.BigIntegerField()
    until = models.BigIntegerField()
    count = models.PositiveIntegerField()
    digest = models.BinaryField(help_text="SHA-256 of the events' keyed hashes, in order.")
    previous = models.BinaryField(help_text="The hash of the seal before.")
    marks = models.BinaryField(help_text="The first bytes of each event's hash, to find which one is gone or new.")
    changes_digest = models.BinaryField(
        default=b"", db_default=b"", help_text="The same of what the triggers noted of rows' changes."
    )
    changes_marks = models.BinaryField(default=b"", db_default=b"")
    signature = models.BinaryField()
    at = models.DateTimeField()

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return f"seal {self.seq}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        if not self._state.adding:
            raise AppendOnly
        super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise AppendOnly


class Seal(SealFields, TenantModel):
    """Of a practice's events."""

    area = "audit"
    audited: ClassVar[bool] = False  # it seals what is audited

    created_at = None  # type: ignore[assignment]  # `at` says it
    updated_at = None  # type: ignore[assignment]  # never updated

    class Meta:
        ordering = ["seq"]
        constraints = [models.UniqueConstraint(fields=["practice", "seq"], name="seal_seq_unique")]


class PlatformAuditEvent(EventFields):
    """An event outside any practice: a superuser at work, a login before a practice is known.

    Anybody's transaction may add to it, only a platform scope may read it (row policies of the first migration).
    """

    area: ClassVar[str] = "platform"
    audited: ClassVar[bool] = False

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    practice_id = models.UUIDField(null=True, help_text="The practice it was about, if any.")

    objects = AppendOnlyQuerySet["PlatformAuditEvent"].as_manager()

    class Meta:
        ordering = ["-at", "-id"]
        indexes = [models.Index(fields=["at", "id"], name="platform_audit_by_time")]


class PlatformSeal(SealFields):
    """Of the platform's events, and of the changes that belong to no practice. Only a platform scope sees them."""

    area: ClassVar[str] = "platform"
    audited: ClassVar[bool] = False  # it seals what is audited
    practice_id: ClassVar[str] = "platform"
    """Of its hash: a seal of one chain is none of another."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)

    class Meta:
        ordering = ["seq"]
        constraints = [models.UniqueConstraint(fields=["seq"], name="platform_seal_seq_unique")]
