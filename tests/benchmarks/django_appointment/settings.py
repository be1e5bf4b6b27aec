import os

from environ import Env

SECRET_KEY = "not-a-secret-of-anybody's"
ALLOWED_HOSTS = ["127.0.0.1"]
INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "phonenumber_field",
    "appointment",
]
# It ships no migrations, so that all tables are made as the models are.
MIGRATION_MODULES = dict.fromkeys(("auth", "contenttypes", "sessions", "appointment"))
ROOT_URLCONF = "appointment.urls"
DATABASES = {"default": Env.db_url_config(os.environ["DJANGO_APPOINTMENT_URL"])}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
TIME_ZONE = "America/New_York"
