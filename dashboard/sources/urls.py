from django.urls import path

from dashboard.sources import agreements, catalogue, health, tickets

app_name = "sources"
urlpatterns = [
    path("", health.board, name="health"),
    path("feeds/<slug:code>", health.feed, name="feed"),
    path("catalogue", catalogue.catalogue, name="catalogue"),
    path("catalogue.xlsx", catalogue.export, name="catalogue_export"),
    path("catalogue/<slug:code>", catalogue.feed, name="catalogue_feed"),
    path("agreements", agreements.register, name="agreements"),
    path("agreements/new", agreements.new, name="agreement_new"),
    path("agreements/<int:agreement>", agreements.one, name="agreement"),
    path("agreements/<int:agreement>/receipt/<int:clearing>", agreements.receipt, name="receipt"),
    path("agreements/<int:agreement>/<slug:act>", agreements.act, name="agreement_act"),
    path("tickets", tickets.tickets, name="tickets"),
    path("tickets/new", tickets.new, name="ticket_new"),
    path("tickets/<int:ticket>", tickets.one, name="ticket"),
    path("tickets/<int:ticket>/rows", tickets.rows, name="ticket_rows"),
    path("tickets/<int:ticket>/<slug:act>", tickets.act, name="ticket_act"),
]
