from django.urls import path
from drf_spectacular.views import SpectacularJSONAPIView

from ingestion.api import views as handing_in
from supervision.api import schema, views

app_name = "api"
urlpatterns = [
    path("letters", views.LetterList.as_view(), name="letters"),
    path("letters/<str:number>", views.LetterOne.as_view(), name="letter"),
    path("letters/<str:number>/acknowledge", views.Acknowledge.as_view(), name="acknowledge"),
    path("letters/<str:number>/answer", views.Answer.as_view(), name="answer"),
    path("feeds/<slug:feed>/files", handing_in.FeedFiles.as_view(), name="push"),
    path("deliveries/<uuid:code>", handing_in.DeliveryStatus.as_view(), name="delivery"),
    path("openapi.json", SpectacularJSONAPIView.as_view(), name="schema"),
    path("docs/", schema.DocsView.as_view(), name="docs"),
]
