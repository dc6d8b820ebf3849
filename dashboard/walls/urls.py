from django.urls import path

from dashboard.walls import console, picture_pages, views

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
    path("pictures", picture_pages.pairs, name="pairs"),
    path("pictures/<int:pair>/<slug:act>", picture_pages.pair, name="pair_act"),
    path("picture/<int:pair>/<slug:side>", picture_pages.picture, name="picture"),
    path("console", console.console, name="console"),
    path("console/state", console.now, name="console_state"),
    path("console/data/<slug:scene>", console.data, name="console_data"),
    path("console/act/<slug:act>", console.act, name="act"),
    path("console/screens", console.screens, name="screens"),
    path("console/screens/<str:code>/<slug:act>", console.screen, name="screen_act"),
]
