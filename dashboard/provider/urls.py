from django.urls import path

from dashboard.provider import received, views

app_name = "provider"
urlpatterns = [
    path("", views.home, name="home"),
    path("feeds/<slug:code>", views.feed, name="feed"),
    path("tickets", views.tickets, name="tickets"),
    path("tickets/<int:ticket>", views.ticket, name="ticket"),
    path("tickets/<int:ticket>/answer", views.answer, name="answer"),
    path("tickets/<int:ticket>/rows", views.rows, name="rows"),
    path("received", received.received, name="received"),
    path("received/files/<uuid:code>", received.file, name="file"),
    path("received/<str:number>", received.letter, name="letter"),
    path("received/<str:number>/acknowledge", received.acknowledge, name="acknowledge"),
    path("received/<str:number>/answer", received.reply, name="reply"),
    path("received/<str:number>/records", received.records, name="records"),
]
