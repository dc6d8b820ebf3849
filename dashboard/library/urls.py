from django.urls import path

from dashboard.library import packs, views

app_name = "library"
urlpatterns = [
    path("models", views.models, name="models"),
    path("models/elements", views.elements_check, name="elements_check"),
    path("models/packs", packs.packs, name="packs"),
    path("models/packs/export", packs.pack_export, name="pack_export"),
    path("models/packs/import", packs.pack_import, name="pack_import"),
    path("models/packs/<int:pack>", packs.pack, name="pack"),
    path("models/packs/<int:pack>/<slug:model>/draft", packs.pack_propose, name="pack_propose"),
    path("models/<str:model>", views.model, name="model"),
    path("models/<str:model>/card.docx", views.card_file, name="card"),
    path("models/<str:model>/elements.xlsx", views.elements_file, name="elements"),
]
