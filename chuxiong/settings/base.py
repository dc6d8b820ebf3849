"""Django proper."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from . import env

BASE_DIR = env.BASE_DIR
VAR_DIR = Path(env.optional("CHUXIONG_VAR"))
FACE = env.face()
# Nothing at the front opens an identifier, rings a worker or reaches a screen: it is given neither keys nor Redis.
_inner = () if FACE == "front" else ("CHUXIONG_VAULT_KEYS", "CHUXIONG_REDIS_URL")
_required = env.require("CHUXIONG_SECRET_KEY", *_inner)

SECRET_KEY = _required["CHUXIONG_SECRET_KEY"]
REDIS_URL = _required.get("CHUXIONG_REDIS_URL", "redis://none.invalid")
VAULT_KEYS = Path(_required.get("CHUXIONG_VAULT_KEYS", "/nonexistent"))
DEBUG = False
ALLOWED_HOSTS = [h for h in env.optional("CHUXIONG_HOSTS", "127.0.0.1,localhost,[::1]").split(",") if h]
SECURE = env.flag("CHUXIONG_HTTPS")

INSTALLED_APPS = [
    "chuxiong.accounts",
    "chuxiong.vault",
    "chuxiong.audit",
    "chuxiong.work",
    "chuxiong.up",
    "chuxiong.demo",
    "ingestion",
    "supervision",
    "dashboard",
    "django.contrib.contenttypes",
    "django.contrib.auth",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "django_htmx",
    "channels",
    "csp",
]

MIDDLEWARE = [
    # First: nothing below may see a header that only the gateway may set.
    "dashboard.accounts.gateway.GatewayMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "dashboard.language.LanguageMiddleware",
    "dashboard.audit.middleware.AuditMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "dashboard.accounts.guard.SessionGuard",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "csp.middleware.CSPMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "dashboard.studio.middleware.PublishedRules",
]

# The front knows agencies' signatures alone: no people, no sessions, no audit store of its own (answers are audited
# where they are taken).
if FACE == "front":
    MIDDLEWARE = [
        "dashboard.accounts.gateway.GatewayMiddleware",
        "django.middleware.security.SecurityMiddleware",
        "whitenoise.middleware.WhiteNoiseMiddleware",
        "dashboard.language.LanguageMiddleware",
        "django.middleware.common.CommonMiddleware",
        "django.middleware.clickjacking.XFrameOptionsMiddleware",
        "csp.middleware.CSPMiddleware",
    ]

ROOT_URLCONF = {"all": "chuxiong.urls", "inner": "chuxiong.urls_inner", "front": "chuxiong.urls_front"}[FACE]
ASGI_APPLICATION = "chuxiong.asgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.template.context_processors.i18n",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]

# A lock or a statement that waits this long is a fault to be seen, not a page that hangs.
_TIMEOUTS = {
    "web": "-c statement_timeout=20s -c lock_timeout=5s -c idle_in_transaction_session_timeout=60s",
    "front": "-c statement_timeout=20s -c lock_timeout=5s -c idle_in_transaction_session_timeout=60s",
    "wall": "-c statement_timeout=10s -c lock_timeout=2s -c default_transaction_read_only=on",
}


def _database(role: str, address: env.DatabaseAddress) -> dict[str, Any]:
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": address.name,
        "USER": address.user,
        "PASSWORD": address.password,
        "HOST": address.host,
        "PORT": address.port,
        "CONN_MAX_AGE": 300,
        "CONN_HEALTH_CHECKS": True,
        "DISABLE_SERVER_SIDE_CURSORS": True,
        # Days are days of Shanghai in SQL too (casts to date, current_date); Django would set UTC.
        "TIME_ZONE": "Asia/Shanghai",
        "OPTIONS": {
            "application_name": f"chuxiong-{role}",
            "options": _TIMEOUTS.get(role, ""),
        },
    }


_addresses = env.databases()
DATABASES = {name: _database(name, address) for name, address in _addresses.items()}
DATABASES["default"] = _database(env.role(), _addresses[env.role()])
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

LANGUAGE_CODE = "zh-hans"
LANGUAGES = [("zh-hans", "简体中文"), ("en", "English")]
LOCALE_PATHS = [BASE_DIR / "locale"]
TIME_ZONE = "Asia/Shanghai"
USE_TZ = True
USE_I18N = True

STATIC_URL = "/static/"
STATIC_ROOT = VAR_DIR / "static"
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = False
MEDIA_ROOT = VAR_DIR / "attachments"

SECURE_HSTS_SECONDS = 31536000 if SECURE else 0
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
DATA_UPLOAD_MAX_MEMORY_SIZE = 5 * 1024 * 1024
# Counted as bytes arrive (chuxiong/body_cap.py); a file brought in by hand must fit (ingestion/imports/bounds.yaml).
REQUEST_BODY_MAX = int(env.optional("CHUXIONG_REQUEST_BODY_MAX", str(64 * 1024 * 1024)))
DATA_UPLOAD_MAX_NUMBER_FIELDS = 2000
DATA_UPLOAD_MAX_NUMBER_FILES = 20
# An uploaded file holds persons' data: it waits in memory, never in a temporary file on disk (bounded by the cap above).
FILE_UPLOAD_MAX_MEMORY_SIZE = REQUEST_BODY_MAX
FILE_UPLOAD_TEMP_DIR = None

# Where the material lies: one YAML file a feed, one a rule.
FEEDS_DIR = BASE_DIR / "ingestion" / "feeds"
RULES_DIR = BASE_DIR / "supervision" / "rules"

# The HLS gateway of the video network, as "http://host:port"; empty: cameras of a gateway give no picture.
VIDEO_GATEWAY = env.optional("CHUXIONG_VIDEO_GATEWAY")
