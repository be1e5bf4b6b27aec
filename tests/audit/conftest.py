"""Fixtures of the calendar."""

from tests.appointments.conftest import booking, clinic

__all__ = ["booking", "clinic"]
