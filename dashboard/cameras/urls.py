from django.urls import path

from dashboard.cameras import views

app_name = "cameras"
urlpatterns = [
    path("cameras", views.cameras, name="cameras"),
    path("cameras/frames/<str:number>", views.frame, name="frame"),
    path("cameras/frames/<str:number>/image", views.frame_image, name="frame_image"),
    path("cameras/stream/<str:token>/index.m3u8", views.variants, name="variants"),
    path("cameras/stream/<str:token>/live.m3u8", views.live, name="live"),
    path("cameras/stream/<str:token>/close", views.close, name="close"),
    path("cameras/stream/<str:token>/frame", views.keep, name="keep"),
    path("cameras/stream/<str:token>/<str:name>", views.piece, name="piece"),
    path("cameras/<str:code>", views.camera, name="camera"),
    path("cameras/<str:code>/play", views.play, name="play"),
]
