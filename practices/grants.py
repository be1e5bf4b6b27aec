"""What the runtime login may do: rows, never tables. Given while migrating, so in every database, test ones too."""

from typing import Any

from django.conf import settings
from django.db import connections


def _runtime_role() -> str:
    name: str = settings.DATABASES["default"]["USER"]
    return connections["owner"].ops.quote_name(name)


def grant_rows(using: str, **kwargs: Any) -> None:
    """Before the tables are made, so that a migration can take a right away again and keep it so."""
    if using != "owner":
        return
    role = _runtime_role()
    with connections[using].cursor() as cursor:
        cursor.execute(f"GRANT USAGE ON SCHEMA public TO {role}")
        cursor.execute(
            f"ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO {role}"
        )
        cursor.execute(f"ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT USAGE, SELECT ON SEQUENCES TO {role}")


def protect_migrations(using: str, **kwargs: Any) -> None:
    """The record of migrations is read (`/readyz`, makemigrations), never written, by the runtime login."""
    if using != "owner":
        return
    with connections[using].cursor() as cursor:
        cursor.execute(f"REVOKE INSERT, UPDATE, DELETE ON django_migrations FROM {_runtime_role()}")
