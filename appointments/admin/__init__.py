"""Visits and calendars in the admin, and the home page."""

from appointments.admin import appointment as appointment  # registers its pages
from appointments.admin import calendar as calendar
from appointments.admin import reminders as reminders
from appointments.admin import series as series
from appointments.admin import waitlist as waitlist
