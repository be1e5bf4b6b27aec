import os
from datetime import timedelta

from environ import Env

SECRET_KEY = "not-a-secret-of-anybody's"
DEBUG = False
ALLOWED_HOSTS = ["127.0.0.1"]
INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "rest_framework",
    "django_filters",
    "tests.benchmarks.drf.apps.PlainConfig",
]
MIDDLEWARE = ["django.middleware.common.CommonMiddleware"]
ROOT_URLCONF = "tests.benchmarks.drf.urls"
APPEND_SLASH = False
AUTH_USER_MODEL = "plain.User"
DATABASES = {"default": {**Env.db_url_config(os.environ["PEER_DATABASE_URL"]), "ATOMIC_REQUESTS": True}}
DATABASES["default"]["OPTIONS"] = {"pool": {"min_size": 1, "max_size": 16}}
USE_TZ = True
TIME_ZONE = "UTC"
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["rest_framework_simplejwt.authentication.JWTAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["tests.benchmarks.drf.permissions.IsMember"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
}
SIMPLE_JWT = {
    "SIGNING_KEY": os.environ["JWT_SIGNING_KEY"],
    "ACCESS_TOKEN_LIFETIME": timedelta(minutes=10),
    "AUDIENCE": "practice-api",
    "ISSUER": "practice-backend",
    "USER_ID_CLAIM": "sub",
}
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"stderr": {"class": "logging.StreamHandler"}},
    "root": {"handlers": ["stderr"], "level": "INFO"},
}
