from django.urls import path

from dashboard.exchange import views

app_name = "exchange"
urlpatterns = [
    path("", views.deliveries, name="deliveries"),
    path("packing", views.packing, name="packing"),
    path("discs/new", views.disc, name="disc"),
    path("<uuid:code>", views.delivery, name="delivery"),
    path("<uuid:code>/confirm", views.confirm, name="confirm"),
    path("<uuid:code>/refuse", views.refuse, name="refuse"),
    path("<uuid:code>/receipt", views.receipt, name="receipt"),
]
