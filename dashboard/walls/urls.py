from django.urls import path

from dashboard.walls import views

app_name = "walls"
urlpatterns = [
    path("", views.overview, name="overview"),
    path("snapshot", views.now, name="snapshot"),
]
