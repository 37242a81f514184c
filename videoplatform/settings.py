"""The settings, read from top to bottom; the environment sets their values.

``bin/run`` sets the values for a laptop; in production, missing required values are
reported. ``docs/settings.md`` describes every variable, and a test checks that it is
complete.
"""

import os
from datetime import timedelta
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import django_stubs_ext
import environ
from csp.constants import NONE, SELF
from django.core.exceptions import ImproperlyConfigured

from common import redis_clients
from videoplatform.embedded import environment

django_stubs_ext.monkeypatch()  # admin.ModelAdmin[Video] at run time, too
BASE_DIR = Path(__file__).resolve().parent.parent
environment.load(BASE_DIR)
env = environ.FileAwareEnv()  # SECRET_KEY_FILE=/run/secrets/key works as well


SITE_NAME = env.str("SITE_NAME", default="Zoetrope")
DEBUG = env.bool("DEBUG", default=False)
SECRET_KEY = env.str("SECRET_KEY", default="development" if DEBUG else env.NOTSET)
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["*"] if DEBUG else ["localhost", "127.0.0.1", "[::1]"])
# The address of the site in mail. Empty: the request's host, if ALLOWED_HOSTS is exact.
PUBLIC_URL = env.str("PUBLIC_URL", default="")
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])
DATA_DIR = Path(env.str("DATA_DIR", default=str(BASE_DIR / "var")))
PORT = env.int("PORT", default=8000)
HTTPS = env.bool("HTTPS", default=False)  # true behind a proxy that speaks TLS
RATE_LIMITS = env.bool("RATE_LIMITS", default=True)
# Each open page holds up to three. An IPv6 address counts as its /64 network.
MAX_SOCKETS_PER_ADDRESS = env.int("MAX_SOCKETS_PER_ADDRESS", default=300)
# Number of proxies in front that append to X-Forwarded-For (common.addresses).
TRUSTED_PROXIES = env.int("TRUSTED_PROXIES", default=0)

ROOT_URLCONF = "videoplatform.urls"
ASGI_APPLICATION = "videoplatform.asgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
APPEND_SLASH = True

INSTALLED_APPS = [
    # Only for runserver. It loads Twisted into every process.
    *(["daphne"] if DEBUG else []),
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.sitemaps",
    "servestatic.runserver_nostatic",
    "videoplatform.staticfiles.AssetsConfig",  # django.contrib.staticfiles, collecting fewer files
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
    "common",
    "accounts",
    "comments",
    "videos",
    "live",
    "videoplatform",
]

MIDDLEWARE = [
    "videoplatform.health.healthz_middleware",
    "django.middleware.security.SecurityMiddleware",
    "videoplatform.cors.cors_middleware",
    "videoplatform.staticfiles.AssetsMiddleware",
    "videoplatform.middleware.refusing_middleware",
    "videoplatform.limits.limits_middleware",
    "csp.middleware.CSPMiddleware",
    "common.storage.request_origin_middleware",
    "videoplatform.middleware.page_policy_middleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "common.outages.OutageMiddleware",
    # Below those that add headers to its page, too.
    "common.error_pages.MethodMiddleware",
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
                "common.context.site",
            ],
        },
    },
]


DATABASE_POOL_SIZE = env.int("DATABASE_POOL_SIZE", default=20)  # connections of one process; 0: no pool
POSTGRES_CONNECT_TIMEOUT_S = 5
POSTGRES_SILENCE_S = 20  # before a connection to an unresponsive server is closed
DATABASE_POOL_WAIT_S = env.float("DATABASE_POOL_WAIT_S", default=10)
DATABASES = {"default": env.db_url("DATABASE_URL", default=f"sqlite:///{DATA_DIR / 'db.sqlite3'}")}
if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
    DATABASES["default"]["ENGINE"] = "common.sqlite"
    # A writer waits at BEGIN instead of failing later, and readers never wait: one file
    # serves several processes of one machine.
    DATABASES["default"]["OPTIONS"] = {
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA foreign_keys=ON;",
    }
    # A file, as in production: tests start workers of their own on it.
    DATABASES["default"]["TEST"] = {"NAME": DATA_DIR / "test.sqlite3"}
else:
    # Under ASGI each request has its own thread: a connection kept after the request would
    # never be reused. It returns to the pool of its process.
    DATABASES["default"]["CONN_MAX_AGE"] = 0
    if DATABASES["default"]["ENGINE"] == "django.db.backends.postgresql":
        # A crashed machine sends no reset, and by default the kernel waits for a quarter of
        # an hour.
        DATABASES["default"]["OPTIONS"] = {
            "connect_timeout": POSTGRES_CONNECT_TIMEOUT_S,
            "tcp_user_timeout": POSTGRES_SILENCE_S * 1000,
            "keepalives_idle": 20,
            "keepalives_interval": 5,
            "keepalives_count": 3,
        } | DATABASES["default"].get("OPTIONS", {})
        if DATABASE_POOL_SIZE:
            # After a restart of the server, the pool contains dead connections.
            DATABASES["default"]["CONN_HEALTH_CHECKS"] = True
            DATABASES["default"]["OPTIONS"]["pool"] = {
                "min_size": 0,
                "max_size": DATABASE_POOL_SIZE,
                "timeout": DATABASE_POOL_WAIT_S,
                "max_idle": 60,
                "max_lifetime": 1800,
            }

REDIS_URL = env.str("REDIS_URL", default="redis://127.0.0.1:6379/0")
CACHES = {
    "default": {
        "BACKEND": "videoplatform.caching.TolerantRedisCache",
        "LOCATION": env.str("CACHE_URL", default=REDIS_URL),
        "KEY_PREFIX": "cache",
        "VERSION": 2,  # 1 held pickles
        "OPTIONS": {
            "serializer": "videoplatform.caching.MessagePackSerializer",
            "pool_class": "common.redis_clients.GuardedPool",
        },
    }
}
CHANNEL_LAYER_URL = env.str("CHANNEL_LAYER_URL", default=REDIS_URL)
CHANNEL_LAYERS = {
    "default": {
        "BACKEND": "videoplatform.channel_layer.BoundedChannelLayer",
        "CONFIG": {
            "hosts": [{"address": CHANNEL_LAYER_URL, **redis_clients.async_options(CHANNEL_LAYER_URL)}],
            "serializer_format": "msgpack",
        },
    }
}

CELERY_BROKER_URL = env.str("BROKER_URL", default=REDIS_URL)
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_DEFAULT_QUEUE = "default"
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_BEAT_SCHEDULER = "common.heartbeat:LivelyScheduler"
# Write access to the broker must not allow code execution in a worker.
CELERY_TASK_SERIALIZER = "json"
CELERY_RESULT_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
# A request that starts a task waits for the broker no longer than for other servers.
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "socket_connect_timeout": redis_clients.CONNECT_TIMEOUT_S,
    "max_retries": 1,
    "interval_start": 0,
    "interval_step": 0,
    "interval_max": 0,
}
CELERY_TASK_PUBLISH_RETRY = False


S3_ENDPOINT_URL = env.str("S3_ENDPOINT_URL", default="")
S3_BUCKET = env.str("S3_BUCKET", default="media")
S3_REGION = env.str("AWS_REGION", default="us-east-1")
S3_ACCESS_KEY_ID = env.str("AWS_ACCESS_KEY_ID", default="")
S3_SECRET_ACCESS_KEY = env.str("AWS_SECRET_ACCESS_KEY", default="")
# For temporary keys. Without any key, boto3 uses its default chain (a role of the host).
S3_SESSION_TOKEN = env.str("AWS_SESSION_TOKEN", default="")
# "path": https://host/bucket/key; "virtual": https://bucket.host/key.
S3_ADDRESSING_STYLE = env.str("S3_ADDRESSING_STYLE", default="path")
if S3_ADDRESSING_STYLE not in {"path", "virtual"}:
    raise ImproperlyConfigured(f"S3_ADDRESSING_STYLE is {S3_ADDRESSING_STYLE!r}: set path or virtual.")
# The data folder of an S3 server on this machine. Empty: S3 has its own disk.
S3_DATA_DIR = env.str("S3_DATA_DIR", default="")
S3_PORT = env.int("S3_PORT", default=8333)
# The address of S3 for browsers. Empty: the request's own host with S3_PORT, so that a
# phone on the same network works.
S3_PUBLIC_URL = env.str("S3_PUBLIC_URL", default="").rstrip("/")
# The address of S3 behind S3_PUBLIC_URL, used for signatures, if a proxy changes the host.
# Empty: the proxy keeps the host.
S3_SIGNED_URL = env.str("S3_SIGNED_URL", default="").rstrip("/")

STORAGES = {
    "default": {
        "BACKEND": "common.storage.MediaStorage",
        "OPTIONS": {
            "bucket_name": S3_BUCKET,
            "endpoint_url": S3_ENDPOINT_URL or None,
            "region_name": S3_REGION,
            "access_key": S3_ACCESS_KEY_ID or None,
            "secret_key": S3_SECRET_ACCESS_KEY or None,
            "security_token": S3_SESSION_TOKEN or None,
            "file_overwrite": False,
        },
    },
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if DEBUG
        else "videoplatform.staticfiles.AssetStorage"
    },
}

# Forms and JSON are parsed in the process that serves live and chat. Uploaded files are not
# counted here (videoplatform.bodies).
DATA_UPLOAD_MAX_MEMORY_SIZE = 1024**2

STATIC_URL = "/static/"
STATIC_ROOT = DATA_DIR / "static"
SERVESTATIC_USE_ZSTD = False  # brotli over TLS, gzip otherwise
STATICFILES_DIRS = [
    BASE_DIR / "static",
    ("vendor/hls.js", BASE_DIR / "node_modules/hls.js/dist"),
    ("vendor/echarts", BASE_DIR / "node_modules/echarts/dist"),
    ("vendor/htmx.org", BASE_DIR / "node_modules/htmx.org/dist"),
]


MAX_UPLOAD_BYTES = env.int("MAX_UPLOAD_BYTES", default=64 * 1024**3)
MAX_UPLOAD_BYTES_PER_DAY = env.int("MAX_UPLOAD_BYTES_PER_DAY", default=256 * 1024**3)  # of one person
# Sources, uploads and encoded videos of one person together; 0: no limit.
MAX_BYTES_KEPT_PER_PERSON = env.int("MAX_BYTES_KEPT_PER_PERSON", default=1024**4)
# Free space to keep, beside the open uploads, on the disk under S3_DATA_DIR.
UPLOAD_MIN_FREE_BYTES = env.int("UPLOAD_MIN_FREE_BYTES", default=1024**3)
# Networks that imports may reach beside the public internet, such as a company's own media server.
IMPORT_NETWORKS = env.list("IMPORT_NETWORKS", cast=ip_network, default=[])
# Videos are fetched from pages of other sites where yt-dlp is installed.
IMPORT_PAGES = env.bool("IMPORT_PAGES", default=True)
MAX_DURATION_S = env.int("MAX_DURATION_S", default=12 * 3600)
MAX_SHORT_SIDE_PX = env.int("MAX_SHORT_SIDE_PX", default=1080)  # 2160 allows 4K rungs
# A copied source of a higher bitrate, against that of a rung of its size, gives way to the encoded rung.
COPY_BITRATE_FACTOR = env.float("COPY_BITRATE_FACTOR", default=1.5)
UPLOAD_LIFETIME = timedelta(hours=env.int("UPLOAD_LIFETIME_HOURS", default=24))
ENCODE_LEASE_S = env.int("ENCODE_LEASE_S", default=30)
# A machine with less free space for its work folder starts no new work.
WORK_FLOOR_BYTES = env.int("WORK_FLOOR_BYTES", default=1024**3)
WORK_FLOOR_INODES = env.int("WORK_FLOOR_INODES", default=1000)
ENCODE_PRESET = env.str("ENCODE_PRESET", default="veryfast")
# Automatic captions: a Whisper model by name, downloaded once, or the absolute path of its
# folder; empty: none.
CAPTIONS_MODEL = env.str("CAPTIONS_MODEL", default="")
CAPTIONS_AUTOMATIC = env.bool("CAPTIONS_AUTOMATIC", default=True)  # for each new upload
CELERY_BEAT_SCHEDULE = {
    "sweep": {"task": "videos.tasks.sweep", "schedule": 10.0, "options": {"expires": 10}},
    "publish-due": {"task": "videos.tasks.publish_due", "schedule": 2.0, "options": {"expires": 2}},
    "clean-up": {"task": "videos.tasks.clean_up", "schedule": 600.0, "options": {"expires": 600}},
    "rank-trending": {
        "task": "videos.tasks.rank_trending",
        "schedule": 600.0,
        "options": {"expires": 600},
    },
    "work-outbox": {
        "task": "accounts.tasks.work_outbox",
        "schedule": 10.0,
        "options": {"expires": 10},
    },
    "delete-pending": {
        "task": "common.tasks.delete_pending",
        "schedule": 60.0,
        "options": {"expires": 60},
    },
    "finish-uploads": {
        "task": "videoplatform.tasks.finish_interrupted_uploads",
        "schedule": 60.0,
        "options": {"expires": 60},
    },
    "end-suspensions": {
        "task": "accounts.tasks.restore_lapsed",
        "schedule": 60.0,
        "options": {"expires": 60},
    },
    "prune-notifications": {"task": "accounts.tasks.prune_notifications", "schedule": 86_400.0},
    "remove-expired": {"task": "accounts.tasks.remove_expired", "schedule": 86_400.0},
    "sweep-broadcasts": {"task": "live.tasks.sweep", "schedule": 5.0, "options": {"expires": 5}},
    "store-chat": {"task": "live.tasks.store_chat", "schedule": 2.0, "options": {"expires": 2}},
}


RTMP_HOST = env.str("RTMP_HOST", default=env.str("HOST", default="127.0.0.1"))
RTMP_PORT = env.int("RTMP_PORT", default=1935)
# Networks of balancers in front of it, whose connections begin with a PROXY header.
RTMP_PROXY_TRUSTED = env.list("RTMP_PROXY_TRUSTED", cast=ip_network, default=[])
# The address for encoders. Empty: the host of the page, with RTMP_PORT.
RTMP_PUBLIC_URL = env.str("RTMP_PUBLIC_URL", default="")
# A broadcast waits this long for its publisher to reconnect.
LIVE_GRACE_S = env.int("LIVE_GRACE_S", default=60)
# Short sides of the renditions below the source; sizes that are not smaller are skipped.
MANY_CORES = (os.cpu_count() or 1) > 3
LIVE_RUNGS = env.list("LIVE_RUNGS", cast=int, default=[720, 480, 360] if MANY_CORES else [480, 360])
# The disk space for recordings on this host while storage does not answer.
LIVE_SPOOL_BYTES = env.int("LIVE_SPOOL_BYTES", default=8 * 1024**3)
# No broadcast begins while more of Redis' maxmemory is used.
LIVE_REDIS_MEMORY_SHARE = env.float("LIVE_REDIS_MEMORY_SHARE", default=0.8)
# A publisher that exceeds it for five seconds is disconnected.
LIVE_MAX_BITRATE_BPS = env.int("LIVE_MAX_BITRATE_BPS", default=60_000_000)
LIVE_PRESET = env.str("LIVE_PRESET", default="veryfast")
VIEWER_LIFETIME_S = 40  # after the last heartbeat of a viewer, which comes every 15 s


AUTH_USER_MODEL = "accounts.User"
# allauth's backend, which accepts the e-mail address as well. Ours also admits a person as
# soon as a suspension has lapsed.
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

SIGN_UP = env.str("SIGN_UP", default="open")  # open, confirmed, invitation or closed: accounts.sign_up
# Sign-ups of one network within an hour: without proof of work, and in total.
SIGN_UP_FREE_PER_HOUR = env.int("SIGN_UP_FREE_PER_HOUR", default=20)
SIGN_UP_PER_HOUR = env.int("SIGN_UP_PER_HOUR", default=100)
SIGN_UP_PROOF_BITS = env.int("SIGN_UP_PROOF_BITS", default=18)  # about half a second on a laptop

ACCOUNT_ADAPTER = "accounts.adapter.AccountAdapter"
ACCOUNT_FORMS = {
    "login": "accounts.forms.SignInForm",
    "signup": "accounts.forms.SignUpForm",
    "add_email": "accounts.forms.ChangeEmailForm",
}
ACCOUNT_LOGIN_METHODS = {"username", "email"}
ACCOUNT_SIGNUP_FIELDS = ["username*", "email*", "password1*"]
ACCOUNT_EMAIL_VERIFICATION = "optional"  # mail is sent, but signing in does not require confirmation
ACCOUNT_CHANGE_EMAIL = True  # one address for each person; a new one applies after confirmation
ACCOUNT_EMAIL_NOTIFICATIONS = True
ACCOUNT_EMAIL_SUBJECT_PREFIX = ""  # templates/account/email names the site in subjects
MAIL_LINK_DAYS = 3  # lifetime of links in mail
ACCOUNT_EMAIL_CONFIRMATION_EXPIRE_DAYS = MAIL_LINK_DAYS
PASSWORD_RESET_TIMEOUT = MAIL_LINK_DAYS * 86_400
ACCOUNT_DEFAULT_HTTP_PROTOCOL = "https" if HTTPS else "http"
ACCOUNT_SESSION_REMEMBER = True
# A new password, a new address and a second factor require the password or the code again.
ACCOUNT_REAUTHENTICATION_REQUIRED = True
# Added to allauth's own limits. Failed attempts count, and a school behind one address
# needs room. Page and API together allow five attempts at one account in five minutes.
ACCOUNT_RATE_LIMITS: Any = {"login_failed": "30/m/ip,5/300s/key"} if RATE_LIMITS else False
MFA_RATE_LIMITS: Any = {} if RATE_LIMITS else False
MFA_TOTP_ISSUER = SITE_NAME
MFA_TOTP_TOLERANCE = 1  # one period (30 s) of clock drift either way
MFA_ALLOW_UNVERIFIED_EMAIL = True  # confirming the address is optional, but every account can be protected

EMAIL_CONFIG = env.email_url("EMAIL_URL", default="filemail://")
vars().update(EMAIL_CONFIG)
EMAIL_TIMEOUT = env.int("EMAIL_TIMEOUT_S", default=20)  # of one connection attempt to the mail server
EMAIL_FILE_PATH = str(DATA_DIR / "mail")
DEFAULT_FROM_EMAIL = env.str("DEFAULT_FROM_EMAIL", default=f"{SITE_NAME} <noreply@localhost>")

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "accounts.authentication.ApiTokenAuthentication",
        "accounts.authentication.ApiSessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticatedOrReadOnly"],
    "DEFAULT_PAGINATION_CLASS": "common.pagination.CursorPagination",
    "DEFAULT_PARSER_CLASSES": [
        "videoplatform.parsers.JSONParser",
        "rest_framework.parsers.FormParser",
        "rest_framework.parsers.MultiPartParser",
    ],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_FILTER_BACKENDS": ["django_filters.rest_framework.DjangoFilterBackend"],
    "DEFAULT_SCHEMA_CLASS": "common.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "drf_standardized_errors.handler.exception_handler",
    "DEFAULT_THROTTLE_CLASSES": [
        "common.throttling.AnonymousThrottle",
        "common.throttling.PersonThrottle",
    ],
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}
DRF_STANDARDIZED_ERRORS = {"EXCEPTION_HANDLER_CLASS": "common.api_errors.ExceptionHandler"}
# An unused token expires after the first. Use renews it until the second is over.
API_TOKEN_IDLE_DAYS = env.int("API_TOKEN_IDLE_DAYS", default=90)
API_TOKEN_MAX_DAYS = env.int("API_TOKEN_MAX_DAYS", default=365)
API_TOKENS_PER_PERSON = env.int("API_TOKENS_PER_PERSON", default=50)
KNOX_TOKEN_MODEL = "accounts.ApiToken"  # noqa: S105 -- the name of a model
REST_KNOX = {
    "TOKEN_TTL": timedelta(days=min(API_TOKEN_IDLE_DAYS, API_TOKEN_MAX_DAYS)),
    "TOKEN_LIMIT_PER_USER": None,  # accounts.tokens removes the least used token instead
    "AUTH_HEADER_PREFIX": "Token",
    "AUTO_REFRESH": True,
    "AUTO_REFRESH_MAX_TTL": timedelta(days=API_TOKEN_MAX_DAYS),
    "MIN_REFRESH_INTERVAL": 3600,
}
SPECTACULAR_SETTINGS = {
    "TITLE": SITE_NAME,
    "DESCRIPTION": "Upload, watch, follow, moderate.",
    "VERSION": "1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "COMPONENT_SPLIT_REQUEST": True,
    # A stream has fewer choices than a video.
    "ENUM_NAME_OVERRIDES": {
        "VisibilityEnum": "videos.models.Video.Visibility",
        "VideoStatusEnum": "videos.models.Video.Status",
        "EditionKindEnum": "videos.models.Video.EditionKind",
        "PlaylistKindEnum": "videos.models.playlists.Playlist.Kind",
        "ChannelImportKindEnum": "videos.models.channel_imports.ChannelImport.Kind",
        "ChannelImportStatusEnum": "videos.models.leased_work.LeasedWork.Status",
        "StreamVisibilityEnum": "live.models.STREAM_VISIBILITIES",
    },
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
}


LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("zh-hans", "简体中文")]
LOCALE_PATHS = [BASE_DIR / "locale"]
TIME_ZONE = "UTC"
USE_TZ = True


SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if HTTPS else None
SECURE_SSL_REDIRECT = HTTPS
SECURE_REDIRECT_EXEMPT = [r"^readyz$"]
# Browsers remember it for this long, even if it is withdrawn, so it begins short. Other
# hosts of the operator's domain may have no TLS.
SECURE_HSTS_SECONDS = env.int("HSTS_SECONDS", default=3600) if HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = HTTPS and env.bool("HSTS_INCLUDE_SUBDOMAINS", default=False)
SECURE_HSTS_PRELOAD = HTTPS and env.bool("HSTS_PRELOAD", default=False)
# Django's checks ask for both of the latter; the operator decides.
SILENCED_SYSTEM_CHECKS = ["security.W005", "security.W021"]
SECURE_REFERRER_POLICY = "strict-origin-when-cross-origin"
CSRF_FAILURE_VIEW = "videoplatform.pages.csrf_failure"
SESSION_COOKIE_SECURE = HTTPS
CSRF_COOKIE_SECURE = HTTPS
X_FRAME_OPTIONS = "DENY"

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        # The import map is the only inline script; page_policy_middleware adds its hash.
        "script-src": [SELF],
        # Style attributes carry values (a person's colour, a progress), and the charts of
        # the admin set inline styles.
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


LOG_LEVEL = env.str("LOG_LEVEL", default="INFO").upper()
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"()": "videoplatform.logs.LineFormatter"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": LOG_LEVEL},
    # Celery's "received" and "succeeded" lines, ten a second, would hide all others.
    "loggers": {
        name: {"level": "DEBUG" if LOG_LEVEL == "DEBUG" else "WARNING"}
        for name in ("celery.app.trace", "celery.worker.strategy")
    },
}
