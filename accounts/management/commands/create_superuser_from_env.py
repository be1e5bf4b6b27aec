import os
from typing import Any

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.core.validators import validate_email

from accounts.models import User
from practices.tenancy import Actor, platform_scope


class Command(BaseCommand):
    help = "Makes sure that the platform's first superuser exists: DJANGO_SUPERUSER_EMAIL, DJANGO_SUPERUSER_PASSWORD."

    def handle(self, *args: Any, **options: Any) -> None:
        email = os.environ.get("DJANGO_SUPERUSER_EMAIL", "").strip().lower()
        password = os.environ.get("DJANGO_SUPERUSER_PASSWORD", "")
        if not email or not password:
            raise CommandError("Set DJANGO_SUPERUSER_EMAIL and DJANGO_SUPERUSER_PASSWORD.")
        with platform_scope(actor=Actor.system("create_superuser_from_env")):
            self._ensure(email, password)

    def _ensure(self, email: str, password: str) -> None:
        """An existing superuser is left alone, password included: a restart must not undo a password change."""
        user = User.objects.filter(email=email).first()
        if user is None:
            try:
                validate_email(email)
                validate_password(password, User(email=email))
            except ValidationError as error:
                raise CommandError(" ".join(error.messages)) from error
            User.objects.create_superuser(email, password)
            self.stdout.write(f"Created the superuser {email}.")
        elif not user.is_superuser:
            raise CommandError(f"{email} is an ordinary user already; name another address.")
        else:
            self.stdout.write(f"The superuser {email} exists.")
