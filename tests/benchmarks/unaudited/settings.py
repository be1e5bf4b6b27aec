"""The project's settings, and an app behind all others that takes the audit off them."""

from config.settings import *  # noqa: F403  # all of them, whatever they are
from config.settings import INSTALLED_APPS as AUDITED_APPS

INSTALLED_APPS = [*AUDITED_APPS, "tests.benchmarks.unaudited.apps.UnauditedConfig"]
