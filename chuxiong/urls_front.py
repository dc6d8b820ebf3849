"""The face shown to agencies on the front machine (前置机): their interface, and nothing else."""

from django.urls import include, path

urlpatterns = [path("api/v1/", include("supervision.api.urls"))]
handler404 = "ingestion.api.problems.not_found"
handler400 = "ingestion.api.problems.bad_request"
handler500 = "ingestion.api.problems.fault"
