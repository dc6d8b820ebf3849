from django.urls import path

from dashboard.runs import views

app_name = "runs"
urlpatterns = [
    path("", views.history, name="history"),
    path("<int:run>", views.one, name="run"),
    path("<int:run>/cancel", views.cancel, name="cancel"),
]
