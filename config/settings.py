"""
All configuration, read from the environment.

A checkout runs with no variable set: Postgres and Valkey are then the embedded ones, and the simulator
answers for OpenAI and Meta. `.env.example` explains every variable; `config/checks.py` refuses to start
half-configured.
"""

import os
import secrets
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

from redis.backoff import NoBackoff
from redis.retry import Retry

from config import exposure, retention
from config.celery_settings import *  # noqa: F403  (Celery reads them here)
from config.celery_settings import CELERY_BEAT_DAILY, CELERY_BROKER_TRANSPORT_OPTIONS
from config.embedded import paths
from config.environment import Environment
from config.lib import local_secrets, logs, roles
from config.lib.api import description
from config.settings_static import (  # noqa: F401  (Django reads them here)
    ADMIN,
    CONTENT_SECURITY_POLICY,
    DATABASE_SESSION,
    DRF,
    DRF_STANDARDIZED_ERRORS,
    MIDDLEWARE,
    SILENCED_SYSTEM_CHECKS,
    TEMPLATES,
    UNFOLD,
)
from config.settings_static import INSTALLED_APPS as SERVICE_APPS

BASE_DIR = Path(__file__).resolve().parent.parent

env = Environment()
if env.str("APP_ENV", default="") != "test":
    env.read_env(BASE_DIR / ".env", overwrite=False)

# An empty variable is as good as none, as in a `.env` copied from the example.
env.ENVIRON = {name: value for name, value in os.environ.items() if value}

# NODE_ENV is what the service's first design called it.
APP_ENV: str = env.str("APP_ENV", default=env.str("NODE_ENV", default="development"))
APP_NAME: str = env.str("APP_NAME", default="multi-channel-ai-agent")
APP_VERSION: str = env.str("APP_VERSION", default="0.1.0")
IS_PRODUCTION = APP_ENV == "production"
# The simulator's command is not for production.
INSTALLED_APPS = [*SERVICE_APPS, *([] if IS_PRODUCTION else ["simulator"])]
DEBUG = env.bool("DJANGO_DEBUG", default=False)

DATA_DIR = Path(env.str("DATA_DIR", default=str(BASE_DIR / ".data")))

# Where secrets come from that are not set, and the names of these.
env.secrets_dir = None if IS_PRODUCTION else DATA_DIR
LOCAL_SECRETS = env.local_secrets
DJANGO_SECRET_KEY = env.secret("DJANGO_SECRET_KEY")
# Django will not even list what else is missing without one; config/checks.py refuses the stand-in.
SECRET_KEY = DJANGO_SECRET_KEY or secrets.token_urlsafe(50)
FIELD_ENCRYPTION_KEYS = env.secret_list("FIELD_ENCRYPTION_KEY")
if "FIELD_ENCRYPTION_KEY" in LOCAL_SECRETS:
    # Decrypts what earlier versions stored in this checkout; nothing is encrypted with it.
    FIELD_ENCRYPTION_KEYS.append(local_secrets.PUBLISHED["FIELD_ENCRYPTION_KEY"])

# --- Addresses ---------------------------------------------------------------------------------------
ALLOWED_HOSTS = env.list(
    "DJANGO_ALLOWED_HOSTS", default=[] if IS_PRODUCTION else ["localhost", "127.0.0.1", "[::1]", "testserver"]
)
API_PORT = env.int("API_PORT", default=8080)
API_KEY_HEADER = env.str("API_KEY_HEADER", default="x-api-key")
# Requests a minute: of one API key, of all keys of a business, and with wrong keys from one address.
API_RATE_LIMIT = env.int("API_RATE_LIMIT", default=1000)
API_BUSINESS_RATE_LIMIT = env.int("API_BUSINESS_RATE_LIMIT", default=2000)
API_FAILURE_LIMIT = env.int("API_FAILURE_LIMIT", default=60)
# Proxies in front of us that add to X-Forwarded-For; with none the header is not believed.
TRUSTED_PROXIES = env.int("TRUSTED_PROXIES", default=0)
WEBHOOK_PORT = env.int("WEBHOOK_PORT", default=3000)
WEBHOOK_PATH = env.str("WEBHOOK_PATH", default="/webhook/meta")
WEBHOOK_SECRETS = env.secret_list("WEBHOOK_SECRET")
WEBHOOK_VERIFY_TOKEN = env.secret("WEBHOOK_VERIFY_TOKEN")
# Where the web chat's script, and the event streams of `live`, are reached from outside.
_HOST = ALLOWED_HOSTS[0].lstrip(".") if IS_PRODUCTION and ALLOWED_HOSTS else ""
_OUTSIDE = f"https://{_HOST}" if _HOST else f"http://127.0.0.1:{API_PORT}"
WEBCHAT_WIDGET_URL = env.str("WEBCHAT_WIDGET_URL", default=f"{_OUTSIDE}/widget.js")
LIVE_PORT = env.int("LIVE_PORT", default=8090)
# Limits of visitors, in all and of one address: pictures of a chat in a day; event streams of one process.
WEBCHAT_DAILY_CHAT_BYTES = env.int("WEBCHAT_DAILY_CHAT_BYTES", default=1_000_000_000)
WEBCHAT_DAILY_ADDRESS_BYTES = env.int("WEBCHAT_DAILY_ADDRESS_BYTES", default=100_000_000)
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
WHATSAPP_API_BASE_URL = env.str("WHATSAPP_API_BASE_URL", default=_GRAPH).rstrip("/")
INSTAGRAM_API_BASE_URL = env.str("INSTAGRAM_API_BASE_URL", default=_GRAPH).rstrip("/")
# Variables that make the service reachable for strangers, whatever APP_ENV says.
EXPOSED_BY = exposure.exposed_by(
    ALLOWED_HOSTS,
    WHATSAPP_API_BASE_URL=WHATSAPP_API_BASE_URL,
    INSTAGRAM_API_BASE_URL=INSTAGRAM_API_BASE_URL,
)

# --- Django ------------------------------------------------------------------------------------------
ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"
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
SECURE_HSTS_INCLUDE_SUBDOMAINS = env.bool("DJANGO_HSTS_INCLUDE_SUBDOMAINS", default=False)
SECURE_HSTS_PRELOAD = env.bool("DJANGO_HSTS_PRELOAD", default=False)
# Set where a proxy in front of us terminates TLS and overwrites X-Forwarded-Proto itself.
if env.bool("TRUST_FORWARDED_PROTO", default=False):
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")

# --- Admin -------------------------------------------------------------------------------------------
vars().update(ADMIN)
# required | optional (asked of those who have set it up) | off
ADMIN_SECOND_FACTOR = env.str("ADMIN_SECOND_FACTOR", default="required" if IS_PRODUCTION else "optional")

# --- API ---------------------------------------------------------------------------------------------
REST_FRAMEWORK = {**DRF, "NUM_PROXIES": TRUSTED_PROXIES}
SPECTACULAR_SETTINGS = {**description.SETTINGS, "VERSION": APP_VERSION}

# --- Postgres ----------------------------------------------------------------------------------------
DATABASE_URL = env.str("DATABASE_URL", default="" if IS_PRODUCTION else paths.postgres_url(DATA_DIR))
DATABASE_POOL_SIZE = env.int("DATABASE_POOL_SIZE", default=20)
DATABASE_TIMEOUT = env.int("DATABASE_TIMEOUT", default=30_000)
# Off behind a pooler that refuses such options: the database role must have the settings then.
DATABASE_SESSION_OPTIONS = env.bool("DATABASE_SESSION_OPTIONS", default=True)
DATABASES = {"default": env.database("DATABASE_URL", DATABASE_URL)}
if DATABASES["default"]:
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
            "options": " ".join(f"-c {name}={value}" for name, value in DATABASE_SESSION.items())
            if DATABASE_SESSION_OPTIONS
            else "",
        },
    }

# --- Redis -------------------------------------------------------------------------------------------
REDIS_URL = env.str("REDIS_URL", default="" if IS_PRODUCTION else paths.valkey_url(DATA_DIR))
REDIS_TTL_DEFAULT = env.int("REDIS_TTL_DEFAULT", default=300)
REDIS_TIMEOUT_MS = env.int("REDIS_TIMEOUT_MS", default=500)
_REDIS_TIMEOUTS = dict.fromkeys(("socket_timeout", "socket_connect_timeout"), REDIS_TIMEOUT_MS / 1000)
REDIS_QUEUE_MAX_SIZE = env.int("REDIS_QUEUE_MAX_SIZE", default=100_000)
REDIS_QUEUE_MAX_BYTES = env.int("REDIS_QUEUE_MAX_BYTES", default=256 * 1024 * 1024)
CACHES = {
    "default": {
        "BACKEND": "django_redis.cache.RedisCache",
        "LOCATION": REDIS_URL,
        "OPTIONS": {
            # redis-py 8 retries inside each call; with a frozen server that turned 0.5 s into 2.6 s.
            "CONNECTION_POOL_KWARGS": {
                **_REDIS_TIMEOUTS,
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
_IS_PRIVATE = APP_ENV == "development" and not EXPOSED_BY
WEBHOOK_ENDPOINTS_PRIVATE = env.bool("WEBHOOK_ENDPOINTS_PRIVATE", default=_IS_PRIVATE)
# Without a server in production no e-mail is written at all; elsewhere it lands in files.
_MAIL = env.email_url("EMAIL_URL", default=f"filemail:///{DATA_DIR / 'mail'}")
EMAIL_IS_SENT = not IS_PRODUCTION or bool(env.str("EMAIL_URL", default=""))
vars().update(_MAIL)
EMAIL_TIMEOUT = 10
DEFAULT_FROM_EMAIL = env.str("EMAIL_FROM", default="AI agents <agents@localhost>")

# --- Celery: what does not depend on the environment is in config/celery_settings.py ----------------
_REDIS = urlsplit(REDIS_URL)
CELERY_BROKER_URL = (
    f"redis+socket://{_REDIS.path}?virtual_host={dict(parse_qsl(_REDIS.query)).get('db', 0)}"
    if _REDIS.scheme == "unix"
    else REDIS_URL
)
CELERY_BROKER_TRANSPORT_OPTIONS = {**CELERY_BROKER_TRANSPORT_OPTIONS, **_REDIS_TIMEOUTS}
MESSAGE_QUEUE_SHARDS = env.int("MESSAGE_QUEUE_SHARDS", default=8)
CELERY_BEAT_SCHEDULE = {
    "purge": {"task": "channels_app.purge", "schedule": 3600.0},
    **CELERY_BEAT_DAILY,
    "look": {"task": "extraction.look", "schedule": EXTRACTION_LOOK_INTERVAL / 1000},
}

# --- Work --------------------------------------------------------------------------------------------
TAKEOVER_PAUSE = env.int("TAKEOVER_PAUSE", default=12 * 3600 * 1000)
REPLY_BUDGET = env.int("REPLY_BUDGET", default=30)
REPLY_BUDGET_WINDOW = env.int("REPLY_BUDGET_WINDOW", default=600_000)
UNKNOWN_AFTER_SECONDS = env.int("UNKNOWN_AFTER_SECONDS", default=120)
TYPING_INDICATOR = env.bool("TYPING_INDICATOR", default=True)
WORKER_POLL_INTERVAL = env.int("WORKER_POLL_INTERVAL", default=1000)
WORKER_CONCURRENCY = env.int("WORKER_CONCURRENCY", default=1000)
PHONE_NUMBER_CONCURRENCY = env.int("PHONE_NUMBER_CONCURRENCY", default=100)
NOTIFIER_CONCURRENCY = env.int("NOTIFIER_CONCURRENCY", default=16)
REPLY_DEBOUNCE = env.int("REPLY_DEBOUNCE", default=1500)
REPLY_DEBOUNCE_MAX = env.int("REPLY_DEBOUNCE_MAX", default=8000)
SUPERSEDE_DRAFTS = env.bool("SUPERSEDE_DRAFTS", default=True)
TURN_LEASE = env.int("TURN_LEASE", default=30_000)
TURN_DEADLINE = env.int("TURN_DEADLINE", default=120_000)
CREDITS_PER_REPLY = env.int("CREDITS_PER_REPLY", default=1)
NUMBER_CHECK_HOURS = env.int("NUMBER_CHECK_HOURS", default=6)
SILENCE_ALARM_HOURS = env.int("SILENCE_ALARM_HOURS", default=24)
_kept = retention.read(env)
EVENT_RETENTION_DAYS: int = _kept.events
CHANNEL_EVENT_RETENTION_DAYS: int = _kept.channel_events
EMAIL_RETENTION_DAYS: int = _kept.emails
RAW_PAYLOAD_RETENTION_DAYS: int = _kept.raw_payloads
DEAD_LETTER_RETENTION_DAYS: int = _kept.dead_letters
MESSAGE_RETENTION_DAYS: int = _kept.messages
MEDIA_RETENTION_DAYS: int = _kept.media
LEAD_RETENTION_DAYS: int = _kept.leads
TOMBSTONE_RETENTION_DAYS: int = _kept.tombstones
MEDIA_LINK_SECONDS = env.int("MEDIA_LINK_SECONDS", default=3600)

# --- OpenAI ------------------------------------------------------------------------------------------
# A key without a base URL means OpenAI itself; neither means the simulator.
_NO_OPENAI_KEY = "" if IS_PRODUCTION else local_secrets.PUBLISHED["OPENAI_API_KEY"]
OPENAI_API_KEY = env.str("OPENAI_API_KEY", default=_NO_OPENAI_KEY)
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
GRAPH_TIMEOUT = env.int("GRAPH_TIMEOUT", default=10_000)

# --- Health and logs ---------------------------------------------------------------------------------
# Roles that /health/ready expects: leave out those that this deployment does not run.
HEALTH_ROLES = env.list("HEALTH_ROLES", default=list(roles.ROLES))
# Where each process shows its metrics: on the first free port from this one on; 0 = nowhere.
METRICS_HOST = env.str("METRICS_HOST", default="127.0.0.1")
METRICS_PORT = env.int("METRICS_PORT", default=0)
CORRELATION_ID_HEADER = env.str("CORRELATION_ID_HEADER", default="x-correlation-id")
LOG_LEVEL = env.str("LOG_LEVEL", default="info").upper()
LOG_FORMAT = env.str("LOG_FORMAT", default="json" if IS_PRODUCTION else "console")
LOGGING_CONFIG = None
logs.configure(level=LOG_LEVEL, output=LOG_FORMAT)

ENVIRONMENT_FAULTS = env.faults  # what no setting could be read from; config/checks.py lists it
