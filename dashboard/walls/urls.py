from django.urls import path

from dashboard.walls import console, views

app_name = "walls"
urlpatterns = [
    path("", views.overview, name="overview"),
    path("snapshot", views.now, name="snapshot"),
    path("screen", views.screen, name="screen"),
    path("pairing", views.pairing, name="pairing"),
    path("state", views.heard, name="state"),
    path("data/<slug:scene>", views.data, name="data"),
    path("camera/<int:camera>/live.m3u8", views.stream, name="stream"),
    path("camera/<int:camera>/<str:name>", views.piece, name="piece"),
    path("console", console.console, name="console"),
    path("console/state", console.now, name="console_state"),
    path("console/data/<slug:scene>", console.data, name="console_data"),
    path("console/act/<slug:act>", console.act, name="act"),
    path("console/screens", console.screens, name="screens"),
    path("console/screens/<str:code>/<slug:act>", console.screen, name="screen_act"),
]
