"""Every door of the house."""

from django.urls import include, path

urlpatterns = [
    path("", include("dashboard.desk.urls")),
    path("", include("dashboard.imports.urls")),
    path("exchange/", include("dashboard.exchange.urls")),
    path("audit/", include("dashboard.audit.urls")),
    path("", include("dashboard.accounts.urls")),
    path("sources/", include("dashboard.sources.urls")),
    path("analysis/", include("dashboard.analysis.urls")),
    path("runs/", include("dashboard.runs.urls")),
    path("", include("dashboard.library.urls")),
    path("studio/", include("dashboard.studio.urls")),
    path("provider/", include("dashboard.provider.urls")),
    path("", include("dashboard.water.urls")),
    path("", include("dashboard.cameras.urls")),
    path("wall/", include("dashboard.walls.urls")),
    path("api/v1/", include("supervision.api.urls")),
    path("i18n/", include("django.conf.urls.i18n")),
]
