"""All settings, read from the environment (django-environ); `.env.example` documents each variable."""

import contextlib
import os
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import environ
from django.core.exceptions import ImproperlyConfigured

from config.api.contract import CONTRACT_COMPONENTS
from config.environment import Environment
from config.logs import logging_configuration
from config.production import unsafe_settings
from config.security import CONTENT_SECURITY_POLICY as CONTENT_SECURITY_POLICY  # django-csp reads it here
from config.unfold import UNFOLD as UNFOLD  # django-unfold reads it here

BASE_DIR = Path(__file__).resolve().parent.parent
env = Environment()
if (BASE_DIR / ".env").exists():
    env.read_env(BASE_DIR / ".env")

# pytest needs no variable set: it always runs on the test services, never on those that hold somebody's data.
ENVIRONMENT = env.str("ENVIRONMENT", "test" if "pytest" in sys.modules else "development")
if ENVIRONMENT not in {"development", "test", "production"}:
    raise ImproperlyConfigured(f"ENVIRONMENT={ENVIRONMENT} is unknown: set it to development, test or production.")
PRODUCTION = ENVIRONMENT == "production"
TESTING = ENVIRONMENT == "test"
DEBUG = env.bool("DEBUG", False)
STATE_DIR = Path(env.str("STATE_DIR", str(BASE_DIR / ".state"))).absolute() / ("test" if TESTING else "")

SECRET_KEY = env.str("SECRET_KEY", "" if PRODUCTION else "development-only-secret-key-never-used-in-production-00")
FIELD_ENCRYPTION_KEYS: list[str] = env.list(
    "FIELD_ENCRYPTION_KEYS", default=[] if PRODUCTION else ["ZGV2ZWxvcG1lbnQtb25seS1maWVsZC1rZXktMDAwMDA="]
)
# Of the audit log: the first makes hashes and signatures, all are believed.
AUDIT_HASH_KEYS: list[str] = env.list(
    "AUDIT_HASH_KEYS", default=[] if PRODUCTION else ["ZGV2ZWxvcG1lbnQtb25seS1oYXNoLWtleS0wMDAwMDA="]
)
AUDIT_SIGNING_KEYS: list[str] = env.list(
    "AUDIT_SIGNING_KEYS", default=[] if PRODUCTION else ["ZGV2ZWxvcG1lbnQtb25seS1zaWduaW5nLWtleS0wMDA="]
)
ALLOWED_HOSTS: list[str] = env.list("ALLOWED_HOSTS", default=[] if PRODUCTION else ["localhost", "127.0.0.1", "[::1]"])
CSRF_TRUSTED_ORIGINS: list[str] = env.list("CSRF_TRUSTED_ORIGINS", default=[])
CORS_ALLOWED_ORIGINS: list[str] = env.list("CORS_ALLOWED_ORIGINS", default=[])

# --- Apps ---------------------------------------------------------------------------------------
INSTALLED_APPS = [
    "unfold.apps.BasicAppConfig",
    "unfold.contrib.filters",
    "config.admin_app.PracticeAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "django_filters",
    "django_structlog",
    "corsheaders",
    "channels",
    "procrastinate.contrib.django",
    "practices",
    "accounts",
    "patients",
    "appointments",
    "audit",
    "integrations",
]
OWN_APPS = ["practices", "accounts", "patients", "appointments", "audit", "integrations"]
# The only models that belong to no practice; a system check refuses any other.
GLOBAL_MODELS = [
    "practices.Practice",
    "accounts.User",
    "accounts.PasswordReset",
    "accounts.TotpDevice",
    "accounts.RecoveryCode",
    "audit.PlatformAuditEvent",
    "audit.PlatformSeal",
]
MIDDLEWARE = [
    "config.health.HealthMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "config.logs.RequestLogMiddleware",
    "config.security.ContentSecurityPolicyMiddleware",
    "config.security.CredentialedCorsMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "accounts.middleware.AdminSessionMiddleware",
    "practices.middleware.TenantMiddleware",
    "accounts.middleware.AdminMembershipMiddleware",
    "accounts.middleware.AdminMessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"
ADMIN_PATH = "/admin/"
# These open their own short scopes: they end in another practice than the token, or must keep what a 401 would undo.
UNSCOPED_PATHS = [
    "/api/v1/auth/token",
    "/api/v1/auth/logout",
    "/api/v1/auth/switch-practice",
    "/api/v1/auth/password/reset",
    "/api/v1/auth/password/reset/confirm",
    "/api/v1/auth/invitations/accept",
    f"{ADMIN_PATH}login/",
    f"{ADMIN_PATH}login/code/",
    f"{ADMIN_PATH}practice/",
    f"{ADMIN_PATH}logins/",
    f"{ADMIN_PATH}forgot-password/",
    f"{ADMIN_PATH}password-reset/",
    f"{ADMIN_PATH}invitation/",
]
ASGI_APPLICATION = "config.asgi.application"
APPEND_SLASH = True
TEMPLATES: list[dict[str, Any]] = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "config" / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    }
]

# --- PostgreSQL and Redis -------------------------------------------------------------------------
DATABASE_URL = env.str("DATABASE_URL", "")
DATABASE_OWNER_URL = env.str("DATABASE_OWNER_URL", "")
REDIS_URL = env.str("REDIS_URL", "")
for _name, _url in (("DATABASE_URL", DATABASE_URL), ("DATABASE_OWNER_URL", DATABASE_OWNER_URL)):
    if _url and urlsplit(_url).scheme not in {"postgres", "postgresql"}:
        raise ImproperlyConfigured(f"{_name} is no PostgreSQL address: write postgres://user:password@host:5432/name.")
if REDIS_URL and urlsplit(REDIS_URL).scheme not in {"redis", "rediss"}:
    raise ImproperlyConfigured("REDIS_URL is no Redis address: write redis://:password@host:6379/0.")
if bool(DATABASE_URL) != bool(DATABASE_OWNER_URL) and not PRODUCTION:
    raise ImproperlyConfigured(
        "DATABASE_URL (the runtime login) and DATABASE_OWNER_URL (the login that migrates) go together: "
        "set both, or neither to use the embedded PostgreSQL."
    )
EMBEDDED_STARTED: frozenset[str] = frozenset()  # what `make demo` has to stop in the end
if not PRODUCTION and not (DATABASE_URL and REDIS_URL):
    from config import embedded

    try:
        _services = embedded.ensure(STATE_DIR, postgres=not DATABASE_URL, redis=not REDIS_URL, durable=not TESTING)
    except embedded.EmbeddedError as error:
        raise ImproperlyConfigured(str(error)) from error
    EMBEDDED_STARTED = _services.started
    DATABASE_URL = DATABASE_URL or _services.database_url
    DATABASE_OWNER_URL = DATABASE_OWNER_URL or _services.database_owner_url
    REDIS_URL = REDIS_URL or _services.redis_url

# No practice and no user until a transaction names them: the row policies compare with these.
NO_CONTEXT = "00000000-0000-0000-0000-000000000000"
_NO_CONTEXT_OPTIONS = f"-c app.practice_id={NO_CONTEXT} -c app.user_id={NO_CONTEXT}"


def _database(url: str) -> dict[str, Any]:
    config: dict[str, Any] = dict(environ.Env.db_url_config(url))
    config["ENGINE"] = "config.postgres"
    config["OPTIONS"] = {**config.get("OPTIONS", {}), "options": _NO_CONTEXT_OPTIONS}
    config["CONN_MAX_AGE"] = None  # each thread keeps its connection; nothing of a request outlives its transaction
    config["CONN_HEALTH_CHECKS"] = True  # after PostgreSQL restarts they are replaced, at no round trip
    return config


WEB_THREADS = env.int("WEB_THREADS", 4)  # each with a connection; WebSockets take one more
WEB_ONE_CORE = env.bool("WEB_ONE_CORE", True)
DATABASES = {
    "default": _database(DATABASE_URL or "postgres:///"),
}
# PostgreSQL keeps the plans of statements that come again. Not behind a pooler that changes connections between
# transactions and doesn't follow prepared statements, as PgBouncer does from 1.21 on.
DATABASE_PREPARE = env.bool("DATABASE_PREPARE", True)
DATABASES["default"]["OPTIONS"] |= {
    "server_side_binding": True,
    "prepare_threshold": 3 if DATABASE_PREPARE else None,
}
if DATABASE_OWNER_URL:  # in production only what migrates knows this login
    DATABASES["owner"] = _database(DATABASE_OWNER_URL)
# Test processes running side by side share the server but neither its keys nor its channels.
_TEST_PROCESS = os.environ.get("PYTEST_XDIST_WORKER", "")
if _TEST_PROCESS:
    REDIS_URL = urlsplit(REDIS_URL)._replace(path=f"/{int(_TEST_PROCESS.removeprefix('gw')) + 1}").geturl()
CACHES = {
    "default": {
        "BACKEND": "django_redis.cache.RedisCache",
        "LOCATION": REDIS_URL or "redis://",
        # Short, because rate limits ask on every request: a Redis that hangs must not make the API hang.
        "OPTIONS": {"SOCKET_CONNECT_TIMEOUT": 0.25, "SOCKET_TIMEOUT": 0.25},
    }
}
CHANNEL_LAYERS = {
    "default": {
        "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
        "CONFIG": {"hosts": [REDIS_URL], "prefix": f"practice{_TEST_PROCESS}"},
    },
}

# --- Identity ---------------------------------------------------------------------------------------
AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = ["accounts.backends.RoleBackend"]
IDENTITY_QUESTION = "accounts.identity.question_of_token"  # asked in the round trip that opens a request's scope
PASSWORD_HASHERS = ["accounts.hashers.Argon2PasswordHasher"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
    {"NAME": "accounts.validators.GuessableValidator"},
]
ACCESS_TOKEN_LIFETIME = timedelta(minutes=env.int("ACCESS_TOKEN_MINUTES", 10))
REFRESH_TOKEN_LIFETIME = timedelta(days=env.int("REFRESH_TOKEN_DAYS", 14))
SESSION_LIFETIME = timedelta(days=env.int("SESSION_DAYS", 90))
API_KEY_MAX_LIFETIME = timedelta(days=env.int("API_KEY_MAX_DAYS", 365))
INVITATION_LIFETIME = timedelta(days=env.int("INVITATION_DAYS", 7))
_DEVELOPMENT_JWT_KEY = "development-only-jwt-signing-key-never-in-production"
# The first signs, all verify: config/api/signing.py.
JWT_SIGNING_KEYS: list[str] = env.list("JWT_SIGNING_KEY", default=[] if PRODUCTION else [_DEVELOPMENT_JWT_KEY])
SIMPLE_JWT = {
    "SIGNING_KEY": "",  # not used: see above
    "ACCESS_TOKEN_LIFETIME": ACCESS_TOKEN_LIFETIME,
    "REFRESH_TOKEN_LIFETIME": REFRESH_TOKEN_LIFETIME,
    "AUDIENCE": "practice-api",
    "ISSUER": "practice-backend",
    "USER_ID_CLAIM": "sub",
    "UPDATE_LAST_LOGIN": False,
}
LOGIN_URL = "admin:login"
LOGIN_REDIRECT_URL = "admin:index"
TOTP_ISSUER = env.str("TOTP_ISSUER", "Practice")  # how an authenticator app names us
ADMIN_IDLE_TIME = timedelta(minutes=env.int("ADMIN_IDLE_MINUTES", 15))
ADMIN_SESSION_LIFETIME = timedelta(hours=env.int("ADMIN_SESSION_HOURS", 12))
SESSION_COOKIE_AGE = int(ADMIN_SESSION_LIFETIME.total_seconds())
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"

# --- Browsers on our own origin -----------------------------------------------------------------------
SESSION_COOKIE_SECURE = PRODUCTION
CSRF_COOKIE_SECURE = PRODUCTION
SECURE_SSL_REDIRECT = PRODUCTION
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if PRODUCTION else None
SECURE_HSTS_SECONDS = env.int("HSTS_SECONDS", 365 * 24 * 3600) if PRODUCTION else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = PRODUCTION
SILENCED_SYSTEM_CHECKS = ["security.W021"]  # HSTS preloading is the domain owner's decision, hard to take back
X_FRAME_OPTIONS = "DENY"

# --- API ------------------------------------------------------------------------------------------
REST_FRAMEWORK: dict[str, Any] = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "accounts.api_key_authentication.ApiKeyAuthentication",
        "accounts.authentication.TokenAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["accounts.permissions.RolePermission"],
    "DEFAULT_PARSER_CLASSES": ["config.api.parsers.JSONParser"],
    "DEFAULT_RENDERER_CLASSES": ["config.api.rendering.JSONRenderer"],
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "config.api.rendering.ContentNegotiation",
    "DEFAULT_PAGINATION_CLASS": "config.api.pagination.KeysetPagination",
    "DEFAULT_FILTER_BACKENDS": ["config.api.filters.FilterBackend", "config.api.filters.OrderingBackend"],
    "DEFAULT_SCHEMA_CLASS": "config.api.schema.Schema",
    "EXCEPTION_HANDLER": "config.api.problem.exception_handler",
    "UNAUTHENTICATED_USER": "django.contrib.auth.models.AnonymousUser",
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
    "URL_FORMAT_OVERRIDE": None,
}
RATELIMIT_ENABLE = env.bool("RATELIMIT_ENABLE", True)
RATE_LIMITS = {
    "user": env.str("RATE_LIMIT_USER", "600/m"),
    "anonymous": env.str("RATE_LIMIT_ANONYMOUS", "60/m"),
    "auth_address": env.str("RATE_LIMIT_AUTH_ADDRESS", "10/m"),
    "auth_account": env.str("RATE_LIMIT_AUTH_ACCOUNT", "5/m"),
}
DATA_UPLOAD_MAX_MEMORY_SIZE = 1024 * 1024
MAX_BODY_BYTES = env.int("MAX_BODY_BYTES", 20 * 1024 * 1024)
TRUSTED_PROXIES: list[str] = env.list("TRUSTED_PROXIES", default=[])  # addresses or networks of our own proxies
AUDIT_ANCHOR_STORE = "integrations.storage.get_file_store"  # where heads of the audit log's chains are kept
IDEMPOTENCY_MODEL = "integrations.IdempotencyKey"
API_VERSION = "1.0.0"
CSRF_FAILURE_VIEW = "config.api.handlers.csrf_failure"
SPECTACULAR_SETTINGS: dict[str, Any] = {
    "TITLE": "Practice API",
    "DESCRIPTION": "Patients, appointments and everything around them, one practice per access token.",
    "VERSION": API_VERSION,
    "OAS_VERSION": "3.1.0",
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "COMPONENT_SPLIT_REQUEST": True,
    "ENUM_ADD_EXPLICIT_BLANK_NULL_CHOICE": False,
    "ENUM_NAME_OVERRIDES": {  # one entry for each set of choices that several fields share
        "Role": "accounts.roles.Role",
        "AppointmentStatusEnum": "appointments.transitions.Status",
        "ModeEnum": "appointments.models.AppointmentType.Mode",
        "PatientStatus": "patients.models.Patient.Status",
        "Sex": "patients.models.Patient.Sex",
        "DatePrecision": "patients.models.Patient.Precision",
        "IdentifierType": "patients.models.PatientIdentifier.Type",
        "ContactKind": "patients.models.ContactPoint.Kind",
        "ContactUse": "patients.models.ContactPoint.Use",
        "AlertStatus": "patients.models.Alert.Status",
        "AllergyCategory": "patients.models.Allergy.Category",
        "ConsentKind": "patients.models.Consent.Kind",
        "ConsentStatus": "patients.models.Consent.Status",
        "CoverageStatus": "patients.models.Coverage.Status",
        "DuplicateMatch": "patients.models.DuplicateCandidate.Match",
        "DuplicateStatus": "patients.models.DuplicateCandidate.Status",
        "DocumentCategory": "patients.models.PatientDocument.Category",
        "DocumentStatus": "patients.models.PatientDocument.Status",
        "MedicationStatus": "patients.models.MedicationStatement.Status",
        "AccessLevel": "accounts.serializers.auth.ACCESS_NAMES",
        "SessionKind": "accounts.models.RefreshSession.Kind",
        "ApiKeyScope": "accounts.api_keys.SCOPES",
        "InvitationStatus": "accounts.models.Invitation.Status",
        "MessageKind": "integrations.models.MessageKind",
        "MessageChannel": "integrations.models.MessageChannel",
        "MessageStatus": "integrations.models.MessageStatus",
        "ImportStatus": "integrations.models.ImportJob.Status",
        "PatientExportStatus": "integrations.models.PatientExport.Status",
    },
    "POSTPROCESSING_HOOKS": ["config.api.schema.name_enums"],
    "SERVE_INCLUDE_SCHEMA": False,
    "GET_LIB_DOC_EXCLUDES": "config.api.schema.doc_excludes",
    "APPEND_COMPONENTS": CONTRACT_COMPONENTS,
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
    "SWAGGER_UI_SETTINGS": {"deepLinking": True, "persistAuthorization": False, "displayRequestDuration": True},
}

# --- Browsers on other origins --------------------------------------------------------------------
# Only these paths get the cookie with a refresh token, and only for them may other origins send cookies at all.
REFRESH_COOKIE_PATH = "/api/v1/auth"
REFRESH_COOKIE_SECURE = PRODUCTION  # `make demo` serves plain http, where Safari and HTTP libraries drop Secure cookies
CORS_URLS_REGEX = r"^/api/"
CORS_ALLOW_HEADERS = ["accept", "authorization", "content-type", "idempotency-key", "if-match", "x-request-id"]
CORS_ALLOW_METHODS = ["GET", "POST", "PATCH", "DELETE", "HEAD", "OPTIONS"]
CORS_EXPOSE_HEADERS = [
    "ETag",
    "Idempotent-Replayed",
    "Location",
    "RateLimit",
    "RateLimit-Policy",
    "Retry-After",
    "X-Request-ID",
]

# --- Real time --------------------------------------------------------------------------------------
# How often a process asks for news and for who may still listen, whatever Redis says; access ends within this time.
EVENTS_POLL_SECONDS = env.float("EVENTS_POLL_SECONDS", 2.0)
EVENTS_HEARTBEAT_SECONDS = env.float("EVENTS_HEARTBEAT_SECONDS", 25.0)
# A client that takes nothing for so long is closed.
EVENTS_SEND_SECONDS = env.float("EVENTS_SEND_SECONDS", 10.0)
# How long a new connection may take to say from where it resumes, before events are sent.
EVENTS_RESUME_SECONDS = env.float("EVENTS_RESUME_SECONDS", 2.0)

# --- Time, language, files --------------------------------------------------------------------------
LANGUAGE_CODE = "en"
USE_I18N = True
USE_TZ = True
TIME_ZONE = "UTC"
STATIC_URL = "/static/"
STATIC_ROOT = Path(env.str("STATIC_ROOT", str(STATE_DIR / "static")))
# In production `collectstatic` has run and names carry a hash; elsewhere files come from the apps as they are.
STATIC_COLLECTED = env.bool("STATIC_COLLECTED", PRODUCTION)
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"
        if STATIC_COLLECTED
        else "django.contrib.staticfiles.storage.StaticFilesStorage"
    },
}
WHITENOISE_USE_FINDERS = not STATIC_COLLECTED
if not STATIC_COLLECTED:
    with contextlib.suppress(OSError):
        STATIC_ROOT.mkdir(parents=True, exist_ok=True)  # WhiteNoise warns about a missing folder
# Tests make a client, and with it the middleware, thousands of times: reading every static file each time took longer
# than the requests. They look for a file when it is asked for.
WHITENOISE_AUTOREFRESH = TESTING
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# --- Vendors ----------------------------------------------------------------------------------------
# "console" shows messages where the worker runs, invents payments, keeps files in STATE_DIR: development only.
EMAIL_VENDOR = env.str("EMAIL_VENDOR", "console")
SMS_VENDOR = env.str("SMS_VENDOR", "console")
PAYMENTS_VENDOR = env.str("PAYMENTS_VENDOR", "console")
STORAGE_VENDOR = env.str("STORAGE_VENDOR", "console")
# Below MAX_BODY_BYTES, which holds for uploads to the local folder too.
MAX_DOCUMENT_BYTES = env.int("MAX_DOCUMENT_BYTES", 15 * 1024 * 1024)
PATIENT_EXPORT_LIFETIME = timedelta(hours=env.int("PATIENT_EXPORT_HOURS", 24))
VENDOR_TIMEOUT_SECONDS = env.float("VENDOR_TIMEOUT_SECONDS", 10.0)
PUBLIC_URL = env.str("PUBLIC_URL", "http://localhost:8000")
# The page that the mailed link opens, its token after the #, where no server and no log sees it.
PASSWORD_RESET_URL = env.str("PASSWORD_RESET_URL", f"{PUBLIC_URL}{ADMIN_PATH}password-reset/")
# The same for the link of an invitation.
INVITATION_URL = env.str("INVITATION_URL", f"{PUBLIC_URL}{ADMIN_PATH}invitation/")
DEFAULT_FROM_EMAIL = env.str("DEFAULT_FROM_EMAIL", "practice@example.test")
EMAIL_BACKEND = {
    "console": "django.core.mail.backends.console.EmailBackend",
    "sendgrid": "integrations.email.backend.SendGridBackend",
}.get(EMAIL_VENDOR, "django.core.mail.backends.dummy.EmailBackend")
SENDGRID_API_KEY = env.str("SENDGRID_API_KEY", "")
SENDGRID_BASE_URL = env.str("SENDGRID_BASE_URL", "https://api.sendgrid.com")
TWILIO_ACCOUNT_SID = env.str("TWILIO_ACCOUNT_SID", "")
TWILIO_AUTH_TOKEN = env.str("TWILIO_AUTH_TOKEN", "")
TWILIO_FROM = env.str("TWILIO_FROM", "")
TWILIO_MESSAGING_SERVICE_SID = env.str("TWILIO_MESSAGING_SERVICE_SID", "")
TWILIO_BASE_URL = env.str("TWILIO_BASE_URL", "https://api.twilio.com")
STRIPE_SECRET_KEY = env.str("STRIPE_SECRET_KEY", "")
STRIPE_WEBHOOK_SECRET = env.str("STRIPE_WEBHOOK_SECRET", "")
STRIPE_BASE_URL = env.str("STRIPE_BASE_URL", "https://api.stripe.com")
S3_BUCKET = env.str("S3_BUCKET", "")
S3_REGION = env.str("S3_REGION", "")
S3_ENDPOINT_URL = env.str("S3_ENDPOINT_URL", "")
S3_ACCESS_KEY_ID = env.str("S3_ACCESS_KEY_ID", "")
S3_SECRET_ACCESS_KEY = env.str("S3_SECRET_ACCESS_KEY", "")

# --- Background jobs ----------------------------------------------------------------------------------
WORKER_CONCURRENCY = env.int("WORKER_CONCURRENCY", 4)
WORKER_STOP_SECONDS = env.float("WORKER_STOP_SECONDS", 8.0)
# A worker without a heartbeat for this long counts as dead, and its jobs are queued again.
WORKER_STALLED_AFTER_SECONDS = env.float("WORKER_STALLED_AFTER_SECONDS", 30.0)

# --- Logs ---------------------------------------------------------------------------------------------
LOG_LEVEL = env.str("LOG_LEVEL", "WARNING" if TESTING else "INFO")
LOG_JSON = env.bool("LOG_JSON", PRODUCTION)
LOGGING = logging_configuration(as_json=LOG_JSON, level=LOG_LEVEL)
DJANGO_STRUCTLOG_IP_LOGGING_ENABLED = False  # it believes any X-Forwarded-For

# --- Production refuses what is unsafe: keep this last --------------------------------------------------
if PRODUCTION and (_problems := unsafe_settings(globals())):
    raise ImproperlyConfigured("\n".join(["Production refuses these settings:", *(f"- {each}" for each in _problems)]))
