from django.urls import path

from dashboard.exchange import views, webhooks

app_name = "exchange"
urlpatterns = [
    path("", views.deliveries, name="deliveries"),
    path("packing", views.packing, name="packing"),
    path("discs/new", views.disc, name="disc"),
    path("webhooks", webhooks.webhooks, name="webhooks"),
    path("webhooks/<int:call>/resend", webhooks.resend, name="webhook_resend"),
    path("<uuid:code>", views.delivery, name="delivery"),
    path("<uuid:code>/confirm", views.confirm, name="confirm"),
    path("<uuid:code>/refuse", views.refuse, name="refuse"),
    path("<uuid:code>/receipt", views.receipt, name="receipt"),
]
