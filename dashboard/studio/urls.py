from django.urls import path

from dashboard.studio import acts, making, views

app_name = "studio"
urlpatterns = [
    path("", views.drafts, name="drafts"),
    path("new", making.start, name="start"),
    path("new/<slug:pattern>", making.pattern, name="pattern"),
    path("blank", making.blank, name="blank"),
    path("from/<slug:rule>", making.version, name="version"),
    path("sentence", making.sentence, name="sentence"),
    path("exclusions", acts.exclusions, name="exclusions"),
    path("exclusions/<int:exclusion>/end", acts.end_exclusion, name="end_exclusion"),
    path("<int:draft>", views.draft, name="draft"),
    path("<int:draft>/form", making.form, name="form"),
    path("<int:draft>/act", acts.act, name="act"),
]
