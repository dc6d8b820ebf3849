from django.urls import path
from drf_spectacular.views import SpectacularJSONAPIView

from supervision.api import schema, tickets, views

app_name = "api"
urlpatterns = [
    path("letters", views.LetterList.as_view(), name="letters"),
    path("letters/<str:number>", views.LetterOne.as_view(), name="letter"),
    path("letters/<str:number>/acknowledge", views.Acknowledge.as_view(), name="acknowledge"),
    path("letters/<str:number>/answer", views.Answer.as_view(), name="answer"),
    path("tickets", tickets.TicketList.as_view(), name="tickets"),
    path("tickets/<int:ticket>", tickets.TicketOne.as_view(), name="ticket"),
    path("tickets/<int:ticket>/answer", tickets.TicketAnswer.as_view(), name="ticket_answer"),
    path("openapi.json", SpectacularJSONAPIView.as_view(), name="schema"),
    path("docs/", schema.DocsView.as_view(), name="docs"),
]
