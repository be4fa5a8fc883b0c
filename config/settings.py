"""
All configuration, read from the environment.

A checkout runs with no variable set: Postgres and Valkey are then the embedded ones, and the simulator
answers for OpenAI and Meta. `.env.example` explains every variable; `config/checks.py` refuses to start
half-configured.
"""

import os
import secrets
from pathlib import Path
from urllib.parse import unquote, urlsplit

import environ
from redis.backoff import NoBackoff
from redis.retry import Retry

from config.embedded import paths
from config.framework import (  # noqa: F401  (Django reads them here)
    CELERY_BROKER_TRANSPORT_OPTIONS,
    CONTENT_SECURITY_POLICY,
    DRF,
    DRF_STANDARDIZED_ERRORS,
    INSTALLED_APPS,
    MIDDLEWARE,
    UNFOLD,
)
from config.lib import logs
from config.lib.api import description

BASE_DIR = Path(__file__).resolve().parent.parent

env = environ.Env()
if env.str("APP_ENV", default="") != "test":
    env.read_env(BASE_DIR / ".env", overwrite=False)

# An empty variable is as good as none, as in a `.env` copied from the example.
env.ENVIRON = {name: value for name, value in os.environ.items() if value}

# NODE_ENV is what the service's first design called it.
APP_ENV: str = env.str("APP_ENV", default=env.str("NODE_ENV", default="development"))
APP_NAME: str = env.str("APP_NAME", default="multi-channel-ai-agent")
APP_VERSION: str = env.str("APP_VERSION", default="0.1.0")
IS_PRODUCTION = APP_ENV == "production"
DEBUG = env.bool("DJANGO_DEBUG", default=False)

# What stands in for a secret outside production. `config/checks.py` refuses each of them in production.
DEVELOPMENT_SECRETS = {
    "DJANGO_SECRET_KEY": "development-only-secret-key-0123456789abcdef-0123456789abcdef",
    "FIELD_ENCRYPTION_KEY": "ZGV2ZWxvcG1lbnQtb25seS1maWVsZC1lbmNyeXB0LTE=",
    "WEBHOOK_SECRET": "test-app-secret",
    "WEBHOOK_VERIFY_TOKEN": "test-verify-token",
    "OPENAI_API_KEY": "sk-simulated",
}


def _secret(name: str) -> str:
    value: str = env.str(name, default="" if IS_PRODUCTION else DEVELOPMENT_SECRETS[name])
    return value


DJANGO_SECRET_KEY = _secret("DJANGO_SECRET_KEY")
# Django will not even list what else is missing without one; config/checks.py refuses the stand-in.
SECRET_KEY = DJANGO_SECRET_KEY or secrets.token_urlsafe(50)
FIELD_ENCRYPTION_KEYS = [key.strip() for key in _secret("FIELD_ENCRYPTION_KEY").split(",") if key.strip()]

DATA_DIR = Path(env.str("DATA_DIR", default=str(BASE_DIR / ".data")))

# --- Addresses ---------------------------------------------------------------------------------------
ALLOWED_HOSTS = env.list(
    "DJANGO_ALLOWED_HOSTS", default=[] if IS_PRODUCTION else ["localhost", "127.0.0.1", "[::1]", "testserver"]
)
API_PORT = env.int("API_PORT", default=8080)
API_KEY_HEADER = env.str("API_KEY_HEADER", default="x-api-key")
# Requests a minute: of one API key, and with wrong keys from one address.
API_RATE_LIMIT = env.int("API_RATE_LIMIT", default=1000)
API_FAILURE_LIMIT = env.int("API_FAILURE_LIMIT", default=60)
# Proxies in front of us that add to X-Forwarded-For; with none the header is not believed.
TRUSTED_PROXIES = env.int("TRUSTED_PROXIES", default=0)
WEBHOOK_PORT = env.int("WEBHOOK_PORT", default=3000)
WEBHOOK_PATH = env.str("WEBHOOK_PATH", default="/webhook/meta")
WEBHOOK_SECRETS = [secret.strip() for secret in _secret("WEBHOOK_SECRET").split(",") if secret.strip()]
WEBHOOK_VERIFY_TOKEN = _secret("WEBHOOK_VERIFY_TOKEN")
# Where the web chat's script, and the event streams of `live`, are reached from outside.
_OUTSIDE = (
    f"https://{ALLOWED_HOSTS[0].lstrip('.')}"
    if IS_PRODUCTION and ALLOWED_HOSTS
    else f"http://127.0.0.1:{API_PORT}"
)
WEBCHAT_WIDGET_URL = env.str("WEBCHAT_WIDGET_URL", default=f"{_OUTSIDE}/widget.js")
LIVE_PORT = env.int("LIVE_PORT", default=8090)
# Event streams of one process, and those of one address in it.
LIVE_MAX_STREAMS = env.int("LIVE_MAX_STREAMS", default=5000)
LIVE_MAX_STREAMS_PER_ADDRESS = env.int("LIVE_MAX_STREAMS_PER_ADDRESS", default=50)
LIVE_STREAM_LIFETIME = env.int("LIVE_STREAM_LIFETIME", default=900_000)
_LIVE = WEBCHAT_WIDGET_URL.rpartition("/")[0] if IS_PRODUCTION else f"http://127.0.0.1:{LIVE_PORT}"
WEBCHAT_EVENTS_URL = env.str("WEBCHAT_EVENTS_URL", default=_LIVE).rstrip("/")
# Meta sends up to 3 MB; Django's default of 2.5 MB would refuse those, and Meta would retry for days.
DATA_UPLOAD_MAX_MEMORY_SIZE = 4 * 1024 * 1024

SIMULATOR_PORT = env.int("SIMULATOR_PORT", default=9090)
SIMULATOR_URL = f"http://127.0.0.1:{SIMULATOR_PORT}"
_GRAPH = "https://graph.facebook.com/v25.0" if IS_PRODUCTION else f"{SIMULATOR_URL}/v25.0"

# --- Django ------------------------------------------------------------------------------------------
ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]
# Meta posts to the exact path; a redirect to the one with a slash would lose the body.
APPEND_SLASH = False
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_TZ = True
STATIC_URL = "/static/"
# Files customers send. Any of Django's storage backends: STORAGE_OPTIONS are its keyword arguments, as JSON.
STORAGES = {
    "default": {
        "BACKEND": env.str("STORAGE_BACKEND", default="django.core.files.storage.FileSystemStorage"),
        "OPTIONS": env.json("STORAGE_OPTIONS", default={"location": str(DATA_DIR / "media")}),
    },
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
WHITENOISE_USE_FINDERS = True
SECURE_CONTENT_TYPE_NOSNIFF = True
X_FRAME_OPTIONS = "DENY"
CSRF_COOKIE_SECURE = SESSION_COOKIE_SECURE = IS_PRODUCTION
SECURE_SSL_REDIRECT = env.bool("DJANGO_SECURE_SSL_REDIRECT", default=IS_PRODUCTION)
SECURE_REDIRECT_EXEMPT = [r"^health/"]
SECURE_HSTS_SECONDS = env.int("DJANGO_HSTS_SECONDS", default=31_536_000 if IS_PRODUCTION else 0)
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = IS_PRODUCTION
# Set where a proxy in front of us terminates TLS and overwrites X-Forwarded-Proto itself.
if env.bool("TRUST_FORWARDED_PROTO", default=False):
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")

# --- Admin -------------------------------------------------------------------------------------------
LOGIN_REDIRECT_URL = "/admin/"
SESSION_COOKIE_AGE = 8 * 3600
SESSION_COOKIE_HTTPONLY = CSRF_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_PATH = CSRF_COOKIE_PATH = "/admin/"

# --- API ---------------------------------------------------------------------------------------------
REST_FRAMEWORK = {**DRF, "NUM_PROXIES": TRUSTED_PROXIES}
SPECTACULAR_SETTINGS = {**description.SETTINGS, "VERSION": APP_VERSION}

# --- Postgres ----------------------------------------------------------------------------------------
DATABASE_URL = env.str("DATABASE_URL", default="" if IS_PRODUCTION else paths.postgres_url(DATA_DIR))
DATABASE_POOL_SIZE = env.int("DATABASE_POOL_SIZE", default=20)
DATABASE_TIMEOUT = env.int("DATABASE_TIMEOUT", default=30_000)
DATABASES = {"default": env.db_url_config(DATABASE_URL) if DATABASE_URL else {}}
if DATABASE_URL:
    DATABASES["default"] |= {
        # The folder of a Unix socket comes percent-encoded.
        "HOST": unquote(DATABASES["default"]["HOST"]),
        "ENGINE": "django.db.backends.postgresql",
        # With a pool, close() hands the connection back; it is tested when taken out again, so a restart of
        # Postgres costs nobody a failed request.
        "CONN_HEALTH_CHECKS": env.bool("DATABASE_HEALTH_CHECKS", default=True),
        "OPTIONS": {
            **DATABASES["default"].get("OPTIONS", {}),
            "pool": {
                "min_size": 1,
                "max_size": DATABASE_POOL_SIZE,
                "timeout": DATABASE_TIMEOUT / 1000,
                "max_idle": 60,
            },
            "connect_timeout": 5,
            # Statements of config/lib/sql.py are planned once a connection: a pooler between must allow that.
            "prepare_threshold": 0,
            "application_name": APP_NAME,
            # A statement that takes longer is a fault, and would hold a worker and its locks. Prepared
            # statements look rows up by key. Left to itself Postgres plans some of them anew each time, and
            # for tables that were small when they were first planned it keeps reading all of them.
            "options": "-c statement_timeout=15s -c lock_timeout=5s"
            " -c idle_in_transaction_session_timeout=15s"
            " -c plan_cache_mode=force_generic_plan -c enable_seqscan=off",
        },
    }

# --- Redis -------------------------------------------------------------------------------------------
REDIS_URL = env.str("REDIS_URL", default="" if IS_PRODUCTION else paths.valkey_url(DATA_DIR))
REDIS_TTL_DEFAULT = env.int("REDIS_TTL_DEFAULT", default=300)
REDIS_QUEUE_MAX_SIZE = env.int("REDIS_QUEUE_MAX_SIZE", default=100_000)
REDIS_QUEUE_MAX_BYTES = env.int("REDIS_QUEUE_MAX_BYTES", default=256 * 1024 * 1024)
CACHES = {
    "default": {
        "BACKEND": "django_redis.cache.RedisCache",
        "LOCATION": REDIS_URL,
        "OPTIONS": {
            # redis-py 8 retries inside each call; with a frozen server that turned 0.5 s into 2.6 s.
            "CONNECTION_POOL_KWARGS": {
                "socket_timeout": 0.5,
                "socket_connect_timeout": 0.5,
                "retry": Retry(NoBackoff(), 0),
                "max_connections": 300,
            },
        },
    }
}

# --- Leads -------------------------------------------------------------------------------------------
EXTRACTION_INTERVAL = env.int("EXTRACTION_INTERVAL", default=300_000)
EXTRACTION_LOOK_INTERVAL = env.int("EXTRACTION_LOOK_INTERVAL", default=30_000)
CREDITS_PER_EXTRACTION = env.int("CREDITS_PER_EXTRACTION", default=0)

# --- What a business is told -------------------------------------------------------------------------
# Elsewhere their URLs must be https and lead to public addresses.
WEBHOOK_ENDPOINTS_PRIVATE = env.bool("WEBHOOK_ENDPOINTS_PRIVATE", default=APP_ENV == "development")
# Without a server in production no e-mail is written at all; elsewhere it lands in files.
_MAIL = env.email_url("EMAIL_URL", default=f"filemail:///{DATA_DIR / 'mail'}")
EMAIL_IS_SENT = not IS_PRODUCTION or bool(env.str("EMAIL_URL", default=""))
vars().update(_MAIL)
EMAIL_TIMEOUT = 10
DEFAULT_FROM_EMAIL = env.str("EMAIL_FROM", default="AI agents <agents@localhost>")

# --- Celery: every setting beside the failure it avoids ----------------------------------------------
CELERY_BROKER_URL = (
    f"redis+socket://{urlsplit(REDIS_URL).path}?virtual_host=0"
    if REDIS_URL.startswith("unix://")
    else REDIS_URL
)
MESSAGE_QUEUE_SHARDS = env.int("MESSAGE_QUEUE_SHARDS", default=8)
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None  # the default of 100 makes a worker give up for good
CELERY_TASK_ACKS_LATE = False  # late acks run a task twice when a connection drops
CELERY_TASK_REJECT_ON_WORKER_LOST = False  # would loop for ever on a task that kills its worker
CELERY_TASK_IGNORE_RESULT = True  # a task is a doorbell: nobody waits for its result
CELERY_RESULT_BACKEND = None
CELERY_TASK_CREATE_MISSING_QUEUES = False  # a typo would silently create a queue nobody reads
CELERY_TASK_PUBLISH_RETRY = False  # a lost ring is rung again by the sweeper
CELERY_WORKER_POOL = "threads"  # a turn is nearly all waiting for HTTP
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_ENABLE_REMOTE_CONTROL = False  # celery 5.7.0 can exit when Redis goes away with it on
CELERY_WORKER_SEND_TASK_EVENTS = False
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_TASK_DEFAULT_QUEUE = "default"
CELERY_BEAT_SCHEDULE = {
    "purge": {"task": "channels_app.purge", "schedule": 3600.0},
    # One that comes too late is not needed: the next one sees the same.
    "look": {
        "task": "extraction.look",
        "schedule": EXTRACTION_LOOK_INTERVAL / 1000,
        "options": {"queue": "extraction", "expires": EXTRACTION_LOOK_INTERVAL / 1000},
    },
}

# --- Work --------------------------------------------------------------------------------------------
TAKEOVER_PAUSE = env.int("TAKEOVER_PAUSE", default=12 * 3600 * 1000)
REPLY_BUDGET = env.int("REPLY_BUDGET", default=30)
REPLY_BUDGET_WINDOW = env.int("REPLY_BUDGET_WINDOW", default=600_000)
TYPING_INDICATOR = env.bool("TYPING_INDICATOR", default=True)
WORKER_POLL_INTERVAL = env.int("WORKER_POLL_INTERVAL", default=1000)
PHONE_NUMBER_CONCURRENCY = env.int("PHONE_NUMBER_CONCURRENCY", default=100)
REPLY_DEBOUNCE = env.int("REPLY_DEBOUNCE", default=1500)
REPLY_DEBOUNCE_MAX = env.int("REPLY_DEBOUNCE_MAX", default=8000)
SUPERSEDE_DRAFTS = env.bool("SUPERSEDE_DRAFTS", default=True)
TURN_LEASE = env.int("TURN_LEASE", default=30_000)
TURN_DEADLINE = env.int("TURN_DEADLINE", default=120_000)
CREDITS_PER_REPLY = env.int("CREDITS_PER_REPLY", default=1)
EVENT_RETENTION_DAYS = env.int("EVENT_RETENTION_DAYS", default=30)

# --- OpenAI ------------------------------------------------------------------------------------------
# A key without a base URL means the real OpenAI; neither means the simulator.
OPENAI_API_KEY = _secret("OPENAI_API_KEY")
_REAL_OPENAI = IS_PRODUCTION or bool(env.str("OPENAI_API_KEY", default=""))
OPENAI_BASE_URL = env.str(
    "OPENAI_BASE_URL", default="https://api.openai.com/v1" if _REAL_OPENAI else f"{SIMULATOR_URL}/v1"
)
OPENAI_TIMEOUT = env.int("OPENAI_TIMEOUT", default=30_000)
OPENAI_MAX_RETRIES = env.int("OPENAI_MAX_RETRIES", default=3)
OPENAI_MODEL = env.str("OPENAI_MODEL", default="gpt-6-luna")
OPENAI_MAX_OUTPUT_TOKENS = env.int("OPENAI_MAX_OUTPUT_TOKENS", default=2000)
OPENAI_TRANSCRIBE_MODEL = env.str("OPENAI_TRANSCRIBE_MODEL", default="gpt-transcribe")

# --- Channels ----------------------------------------------------------------------------------------
WHATSAPP_API_BASE_URL = env.str("WHATSAPP_API_BASE_URL", default=_GRAPH).rstrip("/")
INSTAGRAM_API_BASE_URL = env.str("INSTAGRAM_API_BASE_URL", default=_GRAPH).rstrip("/")
GRAPH_TIMEOUT = env.int("GRAPH_TIMEOUT", default=10_000)

# --- Logs --------------------------------------------------------------------------------------------
CORRELATION_ID_HEADER = env.str("CORRELATION_ID_HEADER", default="x-correlation-id")
LOG_LEVEL = env.str("LOG_LEVEL", default="info").upper()
LOG_FORMAT = env.str("LOG_FORMAT", default="json" if IS_PRODUCTION else "console")
LOGGING_CONFIG = None
logs.configure(level=LOG_LEVEL, output=LOG_FORMAT)
