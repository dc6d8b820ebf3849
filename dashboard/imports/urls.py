from django.urls import path

from dashboard.imports import receipts, views

app_name = "imports"
urlpatterns = [
    path("imports", views.imports, name="list"),
    path("imports/new", views.new, name="new"),
    path("imports/aliases", views.aliases, name="aliases"),
    path("imports/aliases/<int:alias>/withdraw", views.withdraw, name="withdraw"),
    path("imports/<int:manual>", views.manual_import, name="import"),
    path("imports/<int:manual>/progress", views.progress, name="progress"),
    path("imports/<int:manual>/<slug:act>", views.act, name="act"),
    path("batches/<int:batch>/receipt", receipts.receipt, name="receipt"),
    path("batches/<int:batch>/errors", receipts.errors, name="errors"),
    path("feeds/<str:feed>/template", receipts.template, name="template"),
]
