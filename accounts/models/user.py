from contextlib import nullcontext
from typing import Any, ClassVar

from django.conf import settings
from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.hashers import check_password
from django.db import models
from django.db.models.functions import Lower
from django.utils.crypto import salted_hmac

from accounts.roles import Access, allowed
from practices.models import RemembersValues, new_id
from practices.querysets import AnnouncedQuerySet
from practices.tenancy import current_scope, identity_scope

_ACCESS_OF_PERMISSION = {"view": Access.READ, "add": Access.WRITE, "change": Access.WRITE, "delete": Access.FULL}


class UserManager(BaseUserManager["User"]):
    def create_user(self, email: str, password: str | None = None, **fields: Any) -> "User":
        user = self.model(email=email.lower(), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> "User":
        return self.create_user(email, password, is_superuser=True, **fields)

    def get_by_natural_key(self, username: str | None) -> "User":
        return self.get(email=(username or "").lower())


class User(RemembersValues, AbstractBaseUser):
    """A person who logs in. Global: holds nothing clinical, and reaches a practice only through a Membership."""

    area: ClassVar[str] = "platform"
    audited: ClassVar[bool] = True

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    email = models.EmailField(unique=True)
    name = models.CharField(max_length=200, blank=True)
    is_active = models.BooleanField(default=True)
    is_superuser = models.BooleanField(
        default=False, help_text="Manages practices and users of the platform; sees no patient data."
    )
    token_version = models.PositiveIntegerField(default=1, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    objects = UserManager.from_queryset(AnnouncedQuerySet)()

    USERNAME_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    class Meta:
        ordering = ["email"]
        constraints = [
            models.CheckConstraint(condition=models.Q(email=Lower("email")), name="user_email_lower_case"),
        ]

    def __str__(self) -> str:
        return self.name or self.email

    def clean(self) -> None:
        super().clean()
        self.email = self.email.lower()

    def check_password(self, raw_password: str | None) -> bool:
        """Django's, which writes the hash anew when its settings have changed: here as the user's own act."""
        return check_password(raw_password, self.password, self.rehash)

    def rehash(self, raw_password: str) -> None:
        with nullcontext() if current_scope() else identity_scope(self.pk):
            self.set_password(raw_password)
            self._password = None  # or saving would tell the password validators of a change
            self.save(update_fields=["password"])

    def get_full_name(self) -> str:
        return str(self)

    @property
    def is_staff(self) -> bool:
        """Whether the admin lets the user log in; what they find there is decided by roles."""
        return self.is_active

    def has_perm(self, perm: str, obj: models.Model | None = None) -> bool:
        """Django's permission names (`patients.view_patient`), answered from the role table for the active practice."""
        from django.apps import apps

        app_label, _, codename = perm.partition(".")
        action, _, model_name = codename.partition("_")
        try:
            model = apps.get_model(app_label, model_name)
        except LookupError:
            return False
        return self._may(_ACCESS_OF_PERMISSION.get(action, Access.FULL), model)

    def has_perms(self, perm_list: list[str], obj: models.Model | None = None) -> bool:
        return all(self.has_perm(perm, obj) for perm in perm_list)

    def has_module_perms(self, app_label: str) -> bool:
        from django.apps import apps

        return any(self._may(Access.READ, model) for model in apps.get_app_config(app_label).get_models())

    def _may(self, access: Access, model: type[models.Model]) -> bool:
        scope = current_scope()
        if not self.is_active or scope is None:
            return False
        if scope.practice_id is None:
            return self.is_superuser and _on_platform(access, model)
        return scope.actor.id == self.pk and allowed(scope.actor.roles, getattr(model, "area", ""), access)

    def _get_session_auth_hash(self, secret: Any = None) -> str:
        """Django's hook: a new password ends sessions of the admin, and so does logging out everywhere."""
        value = f"{self.password}:{self.token_version}"
        return salted_hmac("accounts.User.session", value, secret=secret, algorithm="sha256").hexdigest()


def _on_platform(access: Access, model: type[models.Model]) -> bool:
    """A superuser manages what belongs to no practice; what isn't audited is a log, which nobody edits."""
    is_log = not getattr(model, "audited", False)
    return model._meta.label in settings.GLOBAL_MODELS and (access <= Access.READ or not is_log)
