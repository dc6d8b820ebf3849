from django.urls import path

from dashboard.audit import views

app_name = "audit"
urlpatterns = [
    path("", views.events, name="events"),
    path("odd", views.odd, name="odd"),
    path("odd/<int:pk>", views.acknowledge, name="acknowledge"),
    path("export", views.export, name="export"),
]
