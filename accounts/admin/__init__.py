"""Members and providers of a practice; practices and users of the platform."""

from accounts.admin import members as members  # registers its pages
from accounts.admin import platform as platform
