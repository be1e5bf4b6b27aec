"""Fixtures of the calendar, for the admin's tests too."""

from tests.appointments.conftest import booking, clinic

__all__ = ["booking", "clinic"]
