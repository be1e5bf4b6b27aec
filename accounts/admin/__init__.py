"""Members, providers, invitations and API keys of a practice; practices and users of the platform."""

from accounts.admin import api_keys as api_keys  # registers its pages
from accounts.admin import invitations as invitations
from accounts.admin import members as members
from accounts.admin import platform as platform
