from django.urls import path

from dashboard.water import views

app_name = "water"
urlpatterns = [
    path("rivers", views.rivers, name="rivers"),
    path("rivers/<slug:river>", views.river, name="river"),
    path("rivers/<slug:river>/sections/<path:section>", views.section, name="section"),
    path("alarms/<int:alarm>", views.alarm, name="alarm"),
]
