from django.urls import path
from drf_spectacular.views import SpectacularJSONAPIView

from ingestion.api import received, webhook
from ingestion.api import views as handing_in
from supervision.api import schema

app_name = "api"
urlpatterns = [
    path("received", received.ReceivedList.as_view(), name="received"),
    path("received/<str:number>", received.ReceivedOne.as_view(), name="received_one"),
    path("received/<str:number>/records", received.Records.as_view(), name="records"),
    path("received/<str:number>/acknowledge", received.Acknowledge.as_view(), name="acknowledge"),
    path("received/<str:number>/files", handing_in.AnswerFiles.as_view(), name="files"),
    path("received/<str:number>/answer", received.Answer.as_view(), name="answer"),
    path("feeds", handing_in.Feeds.as_view(), name="feeds"),
    path("feeds/<slug:feed>/files", handing_in.FeedFiles.as_view(), name="push"),
    path("deliveries/<uuid:code>", handing_in.DeliveryStatus.as_view(), name="delivery"),
    path("webhook", webhook.WebhookView.as_view(), name="webhook"),
    path("openapi.json", SpectacularJSONAPIView.as_view(), name="schema"),
    path("docs/", schema.DocsView.as_view(), name="docs"),
]
