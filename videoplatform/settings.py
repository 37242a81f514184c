"""The settings, read from top to bottom; the environment chooses.

``bin/run`` sets what a laptop needs, production names what it misses.  Every
variable is described in ``docs/settings.md``, which a test holds complete.
"""

import os
from datetime import timedelta
from pathlib import Path
from typing import Any

import django_stubs_ext
import environ
from csp.constants import NONE, SELF

from videoplatform.embedded import environment

django_stubs_ext.monkeypatch()  # admin.ModelAdmin[Video] at run time, too
BASE_DIR = Path(__file__).resolve().parent.parent
environment.load(BASE_DIR)
env = environ.FileAwareEnv()  # SECRET_KEY_FILE=/run/secrets/key works as well

# --- The site -----------------------------------------------------------------

SITE_NAME = env.str("SITE_NAME", default="Zoetrope")
DEBUG = env.bool("DEBUG", default=False)
SECRET_KEY = env.str("SECRET_KEY", default="development" if DEBUG else env.NOTSET)
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["*"] if DEBUG else ["localhost", "127.0.0.1", "[::1]"])
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])
DATA_DIR = Path(env.str("DATA_DIR", default=str(BASE_DIR / "var")))
PORT = env.int("PORT", default=8000)
HTTPS = env.bool("HTTPS", default=False)  # true behind a proxy that speaks TLS
RATE_LIMITS = env.bool("RATE_LIMITS", default=True)
# How many proxies in front append to X-Forwarded-For; without one, the header is
# whatever a client invents, and rate limits go by the connection's address.
TRUSTED_PROXIES = env.int("TRUSTED_PROXIES", default=0)

ROOT_URLCONF = "videoplatform.urls"
ASGI_APPLICATION = "videoplatform.asgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
APPEND_SLASH = True

INSTALLED_APPS = [
    "daphne",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "servestatic.runserver_nostatic",
    "videoplatform.staticfiles.AssetsConfig",  # django.contrib.staticfiles, collecting less
    "django.contrib.humanize",
    "channels",
    "rest_framework",
    "knox",
    "django_filters",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "drf_standardized_errors",
    "csp",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "accounts",
    "comments",
    "videos",
    "live",
    "videoplatform",
]

MIDDLEWARE = [
    "videoplatform.health.healthz_middleware",
    "django.middleware.security.SecurityMiddleware",
    "servestatic.middleware.ServeStaticMiddleware",
    "videoplatform.middleware.refusing_middleware",
    "videoplatform.limits.limits_middleware",
    "csp.middleware.CSPMiddleware",
    "videoplatform.storage.request_origin_middleware",
    "videoplatform.middleware.page_policy_middleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

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
                "django.template.context_processors.i18n",
                "videoplatform.context.site",
            ],
        },
    },
]

# --- Data ---------------------------------------------------------------------

DATABASES = {"default": env.db_url("DATABASE_URL", default=f"sqlite:///{DATA_DIR / 'db.sqlite3'}")}
if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
    # A writer waits for its turn at BEGIN instead of failing in the middle, and
    # readers never wait: one file serves several processes of one machine.
    DATABASES["default"]["OPTIONS"] = {
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA foreign_keys=ON;",
    }
    # A file, as in production: tests start workers of their own on it.
    DATABASES["default"]["TEST"] = {"NAME": DATA_DIR / "test.sqlite3"}
else:
    # Under ASGI each request has a thread of its own: a connection that outlives
    # it is never used again and only fills the server.
    DATABASES["default"]["CONN_MAX_AGE"] = 0

REDIS_URL = env.str("REDIS_URL", default="redis://127.0.0.1:6379/0")
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": env.str("CACHE_URL", default=REDIS_URL),
        "KEY_PREFIX": "cache",
    }
}
CHANNEL_LAYERS = {
    "default": {
        "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
        "CONFIG": {"hosts": [env.str("CHANNEL_LAYER_URL", default=REDIS_URL)]},
    }
}

CELERY_BROKER_URL = env.str("BROKER_URL", default=REDIS_URL)
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_DEFAULT_QUEUE = "default"
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_WORKER_HIJACK_ROOT_LOGGER = False

# --- Storage: one private S3 bucket ---------------------------------------------

S3_ENDPOINT_URL = env.str("S3_ENDPOINT_URL", default="")
S3_BUCKET = env.str("S3_BUCKET", default="media")
S3_REGION = env.str("AWS_REGION", default="us-east-1")
S3_ACCESS_KEY_ID = env.str("AWS_ACCESS_KEY_ID", default="")
S3_SECRET_ACCESS_KEY = env.str("AWS_SECRET_ACCESS_KEY", default="")
S3_PORT = env.int("S3_PORT", default=8333)
# As browsers reach it; empty means the request's own host with S3_PORT, so that
# a phone on the same network works.
S3_PUBLIC_URL = env.str("S3_PUBLIC_URL", default="")

STORAGES = {
    "default": {
        "BACKEND": "videoplatform.storage.MediaStorage",
        "OPTIONS": {
            "bucket_name": S3_BUCKET,
            "endpoint_url": S3_ENDPOINT_URL or None,
            "region_name": S3_REGION,
            "access_key": S3_ACCESS_KEY_ID,
            "secret_key": S3_SECRET_ACCESS_KEY,
            "addressing_style": "path",
            "signature_version": "s3v4",
            "file_overwrite": False,
        },
    },
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if DEBUG
        else "videoplatform.staticfiles.AssetStorage"
    },
}

STATIC_URL = "/static/"
STATIC_ROOT = DATA_DIR / "static"
SERVESTATIC_USE_ZSTD = False  # brotli for those who are asked over TLS, gzip for the rest
STATICFILES_DIRS = [
    BASE_DIR / "static",
    ("vendor/hls.js", BASE_DIR / "node_modules/hls.js/dist"),
    ("vendor/echarts", BASE_DIR / "node_modules/echarts/dist"),
    ("vendor/htmx.org", BASE_DIR / "node_modules/htmx.org/dist"),
]

# --- Videos ---------------------------------------------------------------------

MAX_UPLOAD_BYTES = env.int("MAX_UPLOAD_BYTES", default=64 * 1024**3)
MAX_UPLOAD_BYTES_PER_DAY = env.int("MAX_UPLOAD_BYTES_PER_DAY", default=256 * 1024**3)  # of one person
MAX_DURATION_S = env.int("MAX_DURATION_S", default=12 * 3600)
MAX_SHORT_SIDE_PX = env.int("MAX_SHORT_SIDE_PX", default=1080)  # 2160 allows 4K rungs
UPLOAD_LIFETIME = timedelta(hours=env.int("UPLOAD_LIFETIME_HOURS", default=24))
ENCODE_LEASE_S = env.int("ENCODE_LEASE_S", default=30)
ENCODE_PRESET = env.str("ENCODE_PRESET", default="veryfast")
CELERY_BEAT_SCHEDULE = {
    "sweep": {"task": "videos.tasks.sweep", "schedule": 10.0, "options": {"expires": 10}},
    "clean-up": {"task": "videos.tasks.clean_up", "schedule": 600.0, "options": {"expires": 600}},
    "end-suspensions": {
        "task": "accounts.tasks.restore_lapsed",
        "schedule": 60.0,
        "options": {"expires": 60},
    },
    "prune-notifications": {"task": "accounts.tasks.prune_notifications", "schedule": 86_400.0},
    "sweep-broadcasts": {"task": "live.tasks.sweep", "schedule": 5.0, "options": {"expires": 5}},
    "store-chat": {"task": "live.tasks.store_chat", "schedule": 2.0, "options": {"expires": 2}},
}

# --- Live -----------------------------------------------------------------------

RTMP_HOST = env.str("RTMP_HOST", default=env.str("HOST", default="127.0.0.1"))
RTMP_PORT = env.int("RTMP_PORT", default=1935)
# As encoders reach it; empty means the host of the page that shows it, with RTMP_PORT.
RTMP_PUBLIC_URL = env.str("RTMP_PUBLIC_URL", default="")
# How long a broadcast waits for a publisher that dropped.
LIVE_GRACE_S = env.int("LIVE_GRACE_S", default=60)
# Short sides that are encoded below the source, as far as they are smaller.
MANY_CORES = (os.cpu_count() or 1) > 3
LIVE_RUNGS = env.list("LIVE_RUNGS", cast=int, default=[720, 480, 360] if MANY_CORES else [480, 360])
LIVE_PRESET = env.str("LIVE_PRESET", default="veryfast")
VIEWER_LIFETIME_S = 40  # a viewer counts for this long after a heartbeat, which comes every 15 s

# --- People ---------------------------------------------------------------------

AUTH_USER_MODEL = "accounts.User"
# allauth's backend, which accepts the e-mail address as well; ours lets a person in
# from the moment a suspension has lapsed.
AUTHENTICATION_BACKENDS = ["accounts.authentication.PersonBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "/"
LOGOUT_REDIRECT_URL = "/"

ACCOUNT_ADAPTER = "accounts.adapter.AccountAdapter"
ACCOUNT_FORMS = {
    "login": "accounts.forms.SignInForm",
    "signup": "accounts.forms.SignUpForm",
    "add_email": "accounts.forms.ChangeEmailForm",
}
ACCOUNT_LOGIN_METHODS = {"username", "email"}
ACCOUNT_SIGNUP_FIELDS = ["username*", "email*", "password1*"]
ACCOUNT_EMAIL_VERIFICATION = "optional"  # mail is sent; signing in does not wait for it
ACCOUNT_CHANGE_EMAIL = True  # one address a person; a new one counts once it is confirmed
ACCOUNT_EMAIL_NOTIFICATIONS = True
ACCOUNT_EMAIL_SUBJECT_PREFIX = f"[{SITE_NAME}] "
ACCOUNT_DEFAULT_HTTP_PROTOCOL = "https" if HTTPS else "http"
ACCOUNT_SESSION_REMEMBER = True
ACCOUNT_RATE_LIMITS: Any = {} if RATE_LIMITS else False  # {} means allauth's own
MFA_RATE_LIMITS: Any = {} if RATE_LIMITS else False
MFA_TOTP_ISSUER = SITE_NAME
MFA_TOTP_TOLERANCE = 1  # one period (30 s) of clock drift either way
MFA_ALLOW_UNVERIFIED_EMAIL = True  # confirming the address is optional, protecting the account is not less so
ALLAUTH_TRUSTED_PROXY_COUNT = TRUSTED_PROXIES

EMAIL_CONFIG = env.email_url("EMAIL_URL", default="filemail://")
vars().update(EMAIL_CONFIG)
EMAIL_FILE_PATH = str(DATA_DIR / "mail")
DEFAULT_FROM_EMAIL = env.str("DEFAULT_FROM_EMAIL", default=f"{SITE_NAME} <noreply@localhost>")

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "accounts.authentication.ApiTokenAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticatedOrReadOnly"],
    "DEFAULT_PAGINATION_CLASS": "videoplatform.pagination.CursorPagination",
    "DEFAULT_PARSER_CLASSES": [
        "videoplatform.parsers.JSONParser",
        "rest_framework.parsers.FormParser",
        "rest_framework.parsers.MultiPartParser",
    ],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_FILTER_BACKENDS": ["django_filters.rest_framework.DjangoFilterBackend"],
    "DEFAULT_SCHEMA_CLASS": "videoplatform.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "drf_standardized_errors.handler.exception_handler",
    "DEFAULT_THROTTLE_CLASSES": [
        "videoplatform.throttling.AnonymousThrottle",
        "videoplatform.throttling.PersonThrottle",
    ],
    "DEFAULT_THROTTLE_RATES": {
        "anonymous": "600/min",
        "person": "1200/min",
        "sign_in": "10/min",  # per account, from wherever
        "sign_in_address": "60/min",
        "sign_up": "30/min",
        "upload": "300/hour",
        "captions": "120/hour",
        "stream_key": "30/hour",
    },
    "NUM_PROXIES": TRUSTED_PROXIES,
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}
DRF_STANDARDIZED_ERRORS = {"EXCEPTION_HANDLER_CLASS": "videoplatform.errors.ExceptionHandler"}
REST_KNOX = {
    "TOKEN_TTL": timedelta(days=90),
    "TOKEN_LIMIT_PER_USER": None,
    "AUTH_HEADER_PREFIX": "Token",
    "AUTO_REFRESH": True,
    "MIN_REFRESH_INTERVAL": 3600,
}
SPECTACULAR_SETTINGS = {
    "TITLE": SITE_NAME,
    "DESCRIPTION": "Upload, watch, follow, moderate.",
    "VERSION": "1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "COMPONENT_SPLIT_REQUEST": True,
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
}

# --- Language -------------------------------------------------------------------

LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("zh-hans", "简体中文")]
LOCALE_PATHS = [BASE_DIR / "locale"]
TIME_ZONE = "UTC"
USE_TZ = True

# --- Security -------------------------------------------------------------------

SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if HTTPS else None
SECURE_SSL_REDIRECT = HTTPS
SECURE_REDIRECT_EXEMPT = [r"^readyz$"]
SECURE_HSTS_SECONDS = 31_536_000 if HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = HTTPS
SECURE_HSTS_PRELOAD = HTTPS
SECURE_REFERRER_POLICY = "strict-origin-when-cross-origin"
SESSION_COOKIE_SECURE = HTTPS
CSRF_COOKIE_SECURE = HTTPS
X_FRAME_OPTIONS = "DENY"

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        # The import map is the only inline script; videoplatform.context adds its hash.
        "script-src": [SELF],
        # Styles in attributes carry values (a person's colour, a progress), and
        # the charts of the admin style themselves.
        "style-src": [SELF, "'unsafe-inline'"],
        "img-src": [SELF, "data:", "blob:"],
        "media-src": [SELF, "blob:"],
        "connect-src": [SELF],
        "worker-src": [SELF, "blob:"],
        "object-src": [NONE],
        "base-uri": [SELF],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
    }
}

# --- Logs -----------------------------------------------------------------------

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"()": "videoplatform.logs.LineFormatter"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": env.str("LOG_LEVEL", default="INFO")},
}
