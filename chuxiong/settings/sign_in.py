"""Signing in: backend, cookies, the gateway in front. Limits are data: ``chuxiong/accounts/sign_in.yaml``."""

from __future__ import annotations

from django.core.exceptions import ImproperlyConfigured

from . import env
from .base import SECURE

AUTH_USER_MODEL = "accounts.Person"
AUTHENTICATION_BACKENDS = ["chuxiong.accounts.passwords.PasswordBackend"]
LOGIN_URL = "desk:login"
LOGIN_REDIRECT_URL = "desk:queue"
LOGOUT_REDIRECT_URL = "desk:login"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.PBKDF2PasswordHasher"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "chuxiong.accounts.passwords.PolicyValidator"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]

# Sessions lie in Postgres; how long a stay lasts is decided there (``chuxiong.accounts.sessions``), the cookie ends
# with the browser. The ``__Host-`` prefix binds it to this very host over HTTPS.
SESSION_ENGINE = "django.contrib.sessions.backends.db"
SESSION_SERIALIZER = "django.contrib.sessions.serializers.JSONSerializer"
SESSION_COOKIE_AGE = 12 * 3600
SESSION_EXPIRE_AT_BROWSER_CLOSE = True
SESSION_SAVE_EVERY_REQUEST = False
SESSION_COOKIE_NAME = "__Host-session" if SECURE else "sessionid"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Strict"
SESSION_COOKIE_SECURE = SECURE
CSRF_COOKIE_SECURE = SECURE
CSRF_COOKIE_SAMESITE = "Strict"
CSRF_COOKIE_HTTPONLY = False
DUTY_POST_COOKIE = "__Host-post" if SECURE else "post"
SCREEN_COOKIE = "__Host-screen" if SECURE else "screen"
PAIRING_COOKIE = "__Host-pairing" if SECURE else "pairing"

# The gateway that checks client certificates: off | signed | local (see chuxiong/accounts/gateway.py).
GATEWAY_MODE = env.optional("CHUXIONG_GATEWAY", "off")
GATEWAY_SECRET = env.optional("CHUXIONG_GATEWAY_SECRET")
GATEWAY_HEADERS = {
    "verified": env.optional("CHUXIONG_GATEWAY_VERIFIED_HEADER", "X-Client-Verify"),
    "issuer": env.optional("CHUXIONG_GATEWAY_ISSUER_HEADER", "X-Client-Issuer"),
    "serial": env.optional("CHUXIONG_GATEWAY_SERIAL_HEADER", "X-Client-Serial"),
    "time": env.optional("CHUXIONG_GATEWAY_TIME_HEADER", "X-Gateway-Time"),
    "proof": env.optional("CHUXIONG_GATEWAY_PROOF_HEADER", "X-Gateway-Proof"),
}
if GATEWAY_MODE not in ("off", "signed", "local"):
    raise ImproperlyConfigured(f"CHUXIONG_GATEWAY={GATEWAY_MODE!r}: expected off, signed or local")
if GATEWAY_MODE != "off" and len(GATEWAY_SECRET) < 32:
    raise ImproperlyConfigured(
        "CHUXIONG_GATEWAY_SECRET 须为至少 32 个字符的随机串 / must be a random text of at least 32 characters"
    )

# Namespaces of pages that administrators may open; whatever is not named here is business and closed to them.
ADMINISTRATORS_REACH = ("accounts", "audit", "walls")
