"""Production lists all that is unsafe at once, and starts when nothing is."""

from typing import Any

import pytest

from config.check import production_environment
from config.production import unsafe_settings
from tests.platform.conftest import Run

URLS = {
    "DATABASE_URL": "postgres://runtime:secret@db.example.test/practice",
    "DATABASE_OWNER_URL": "postgres://owner:secret@db.example.test/practice",
    "REDIS_URL": "redis://:secret@redis.example.test/0",
}
SHOW = "from config import settings as s; print(s.DEBUG, s.SESSION_COOKIE_SECURE, s.SECURE_HSTS_SECONDS > 10**7)"


def safe() -> dict[str, Any]:
    environment = production_environment()
    return {
        **URLS,
        **environment,
        "JWT_SIGNING_KEYS": [environment["JWT_SIGNING_KEY"]],
        "FIELD_ENCRYPTION_KEYS": [environment["FIELD_ENCRYPTION_KEYS"]],
        "AUDIT_HASH_KEYS": [environment["AUDIT_HASH_KEYS"]],
        "AUDIT_SIGNING_KEYS": [environment["AUDIT_SIGNING_KEYS"]],
        "ALLOWED_HOSTS": ["practice.example.test"],
        "CORS_ALLOWED_ORIGINS": ["https://app.example.test"],
        "CSRF_TRUSTED_ORIGINS": [],
        "PASSWORD_RESET_URL": "https://app.example.test/reset-password",
        "INVITATION_URL": "https://app.example.test/accept-invitation",
        "DEBUG": False,
        "RATELIMIT_ENABLE": True,
    }


def test_complete_settings_are_safe() -> None:
    assert unsafe_settings(safe()) == []


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("SECRET_KEY", "", "SECRET_KEY is missing"),
        ("SECRET_KEY", "development-only-" + "x" * 50, "SECRET_KEY is the development default"),
        ("SECRET_KEY", "short", "SECRET_KEY is too short"),
        ("JWT_SIGNING_KEYS", [], "JWT_SIGNING_KEY is missing"),
        ("JWT_SIGNING_KEYS", ["x" * 50, "short"], "JWT_SIGNING_KEY is too short"),
        ("FIELD_ENCRYPTION_KEYS", [], "FIELD_ENCRYPTION_KEYS is missing"),
        ("FIELD_ENCRYPTION_KEYS", ["c2hvcnQ="], "no Fernet key"),
        ("FIELD_ENCRYPTION_KEYS", ["%%%"], "no Fernet key"),
        ("FIELD_ENCRYPTION_KEYS", ["ZGV2ZWxvcG1lbnQtb25seS1maWVsZC1rZXktMDAwMDA="], "development key"),
        ("AUDIT_HASH_KEYS", [], "AUDIT_HASH_KEYS is missing"),
        ("AUDIT_SIGNING_KEYS", ["ZGV2ZWxvcG1lbnQtb25seS1zaWduaW5nLWtleS0wMDA="], "development key"),
        ("DATABASE_URL", "", "DATABASE_URL is missing"),
        ("DATABASE_URL", URLS["DATABASE_OWNER_URL"], "logs in as the owner"),
        ("REDIS_URL", "", "REDIS_URL is missing"),
        ("EMAIL_VENDOR", "console", "EMAIL_VENDOR is the console"),
        ("SMS_VENDOR", "console", "SMS_VENDOR is the console"),
        ("PAYMENTS_VENDOR", "", "PAYMENTS_VENDOR is the console"),
        ("STORAGE_VENDOR", "console", "STORAGE_VENDOR is the console"),
        ("DEBUG", True, "DEBUG is on"),
        ("ALLOWED_HOSTS", [], "ALLOWED_HOSTS is missing"),
        ("ALLOWED_HOSTS", ["*"], "ALLOWED_HOSTS is missing or '*'"),
        ("RATELIMIT_ENABLE", False, "RATELIMIT_ENABLE is off"),
        ("PUBLIC_URL", "http://practice.example.test", "PUBLIC_URL is missing or not https"),
        ("PASSWORD_RESET_URL", "http://app.example.test", "PASSWORD_RESET_URL is not https"),
        ("INVITATION_URL", "http://app.example.test", "INVITATION_URL is not https"),
        ("CORS_ALLOWED_ORIGINS", ["http://app.example.test"], "without https"),
    ],
)
def test_each_unsafe_setting_is_named(name: str, value: Any, says: str) -> None:
    (problem,) = unsafe_settings({**safe(), name: value})
    assert says in problem


def test_equal_secrets_are_named() -> None:
    values = safe()
    values["JWT_SIGNING_KEYS"].append(values["SECRET_KEY"])
    assert unsafe_settings(values) == ["JWT_SIGNING_KEY equals SECRET_KEY: give it a value of its own."]


@pytest.mark.machinery
def test_bare_production_lists_everything_at_once_and_starts_nothing(run: Run) -> None:
    done = run("manage.py", "check", ENVIRONMENT="production", DEBUG="true", RATELIMIT_ENABLE="false")
    lines = done.stderr.splitlines()
    assert (done.returncode, lines[0]) == (1, "manage.py: Production refuses these settings:")
    named = {line.removeprefix("- ").split()[0] for line in lines[1:]}
    assert named == {
        *("SECRET_KEY", "JWT_SIGNING_KEY", "FIELD_ENCRYPTION_KEYS", "DATABASE_URL", "REDIS_URL"),
        *("AUDIT_HASH_KEYS", "AUDIT_SIGNING_KEYS"),
        *("EMAIL_VENDOR", "SMS_VENDOR", "PAYMENTS_VENDOR", "STORAGE_VENDOR"),
        *("DEBUG", "ALLOWED_HOSTS", "RATELIMIT_ENABLE", "PUBLIC_URL"),
    }


@pytest.mark.machinery
def test_complete_production_settings_load_with_safe_cookies(run: Run) -> None:
    done = run("-c", SHOW, **URLS, **production_environment())
    assert (done.stdout, done.stderr) == ("False True True\n", "")


@pytest.mark.machinery
def test_migrating_without_the_owner_says_what_is_missing(run: Run) -> None:
    done = run("manage.py", "migrate", **{**URLS, "DATABASE_OWNER_URL": ""}, **production_environment())
    assert (done.returncode, done.stderr) == (1, "CommandError: Set DATABASE_OWNER_URL: only the owner may migrate.\n")


@pytest.mark.machinery
@pytest.mark.parametrize(
    ("variables", "says"),
    [
        ({"ENVIRONMENT": "prod"}, "ENVIRONMENT=prod is unknown"),
        ({"DATABASE_URL": "sqlite:///x"}, "DATABASE_URL is no PostgreSQL address"),
        ({"DATABASE_URL": URLS["DATABASE_URL"]}, "go together"),
        ({"REDIS_URL": "memcached://x"}, "REDIS_URL is no Redis address"),
        ({"WEB_THREADS": "many"}, "WEB_THREADS can't be read"),
        ({"STATE_DIR": "/proc/nowhere"}, "set STATE_DIR to a folder you own"),
    ],
)
def test_wrong_setting_is_one_sentence(run: Run, variables: dict[str, str], says: str) -> None:
    done = run("manage.py", "check", **variables)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    assert says in done.stderr
