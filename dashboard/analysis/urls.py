from django.urls import path

from dashboard.analysis import profiles, trends

app_name = "analysis"
urlpatterns = [
    path("", profiles.home, name="home"),
    path("open", profiles.open_clue, name="open"),
    path("search", profiles.search_pool, name="search"),
    path("queries/<uuid:code>", profiles.query, name="query"),
    path("queries/<uuid:code>/<int:place>", profiles.profile, name="profile"),
    path("queries/<uuid:code>/<int:place>/network", profiles.network, name="network"),
    path("trends", trends.trends, name="trends"),
    path("ledgers", trends.ledger, name="ledger"),
    path("ledgers/file", trends.ledger_file, name="ledger_file"),
    path("clues", trends.clues, name="clues"),
]
