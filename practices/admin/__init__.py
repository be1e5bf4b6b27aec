"""The practice's settings in the admin, and in `practices.admin.base` what every other app's pages build on."""

from practices.admin import settings as settings  # registers its pages
