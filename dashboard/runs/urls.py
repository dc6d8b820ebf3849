from django.urls import path

from dashboard.runs import views

app_name = "runs"
urlpatterns = [
    path("", views.history, name="history"),
    path("new", views.new, name="new"),
    path("<int:run>", views.one, name="run"),
    path("<int:run>/progress", views.progress, name="progress"),
    path("<int:run>/cancel", views.cancel, name="cancel"),
]
