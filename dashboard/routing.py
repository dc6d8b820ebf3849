from django.urls import path

from dashboard.consumers import DeskConsumer, WallConsumer
from dashboard.walls.consumer import ScreenConsumer

websocket_urlpatterns = [
    path("ws/wall/", WallConsumer.as_asgi()),
    path("ws/screen/", ScreenConsumer.as_asgi()),
    path("ws/desk/", DeskConsumer.as_asgi()),
]
