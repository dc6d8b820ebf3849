"""HTTP and WebSocket entry."""

import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "chuxiong.settings")
_http = get_asgi_application()

# Django must be set up before anything below may be imported.
from channels.auth import AuthMiddlewareStack  # noqa: E402
from channels.routing import ProtocolTypeRouter, URLRouter  # noqa: E402
from channels.security.websocket import AllowedHostsOriginValidator  # noqa: E402
from django.conf import settings  # noqa: E402

from chuxiong.body_cap import BodyCap  # noqa: E402
from dashboard.routing import websocket_urlpatterns  # noqa: E402

# Live screens belong to the inner side; at the front every socket is refused.
_sockets = URLRouter([] if settings.FACE == "front" else websocket_urlpatterns)
application = ProtocolTypeRouter(
    {
        "http": BodyCap(_http, settings.REQUEST_BODY_MAX),
        "websocket": AllowedHostsOriginValidator(AuthMiddlewareStack(_sockets)),
    }
)
