from django.urls import path

from dashboard.consumers import DeskConsumer, WallConsumer

websocket_urlpatterns = [
    path("ws/wall/", WallConsumer.as_asgi()),
    path("ws/desk/", DeskConsumer.as_asgi()),
]
