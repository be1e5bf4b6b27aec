#!/usr/bin/env python
"""Run Django's management commands for this project."""

import os
import sys


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    from django.core.exceptions import ImproperlyConfigured
    from django.core.management import execute_from_command_line
    from django.db import OperationalError

    try:
        execute_from_command_line(sys.argv)
    except ImproperlyConfigured as error:
        sys.exit(f"manage.py: {error}")
    except OperationalError as error:
        reason = str(error).strip().splitlines()[-1]
        sys.exit(f"manage.py: The database can't be used ({reason}): check DATABASE_URL and DATABASE_OWNER_URL.")


if __name__ == "__main__":
    main()
