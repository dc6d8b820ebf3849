from django.urls import path

from dashboard.provider import views

app_name = "provider"
urlpatterns = [
    path("", views.home, name="home"),
    path("feeds/<slug:code>", views.feed, name="feed"),
    path("tickets", views.tickets, name="tickets"),
    path("tickets/<int:ticket>", views.ticket, name="ticket"),
    path("tickets/<int:ticket>/answer", views.answer, name="answer"),
    path("tickets/<int:ticket>/rows", views.rows, name="rows"),
]
