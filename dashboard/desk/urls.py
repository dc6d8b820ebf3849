from django.urls import path

from dashboard.accounts import sign_in
from dashboard.desk import alarms, checklists, disclosures, held, identity, names, views

app_name = "desk"
urlpatterns = [
    path("", views.queue, name="queue"),
    path("login", sign_in.sign_in, name="login"),
    path("logout", sign_in.sign_out, name="logout"),
    path("clues/new", views.enter, name="enter"),
    path("clues/bulk", views.bulk, name="bulk"),
    path("clues/<str:number>/peek", views.peek, name="peek"),
    path("clues/<str:number>", views.clue, name="clue"),
    path("clues/<str:number>/unmask", views.unmask, name="unmask"),
    path("clues/<str:number>/case-query", views.case_query, name="case_query"),
    path("clues/<str:number>/interference", views.interference, name="interference"),
    path("clues/<str:number>/<slug:move>", views.move, name="move"),
    path("names", names.names, name="names"),
    path("alarms", alarms.alarms, name="alarms"),
    path("alarms/<int:alarm>/<slug:move>", alarms.act, name="alarm"),
    path("disclosures", disclosures.disclosures, name="disclosures"),
    path("disclosures/new", disclosures.new, name="disclosure_new"),
    path("disclosures/<int:pk>", disclosures.disclosure, name="disclosure"),
    path("disclosures/<int:pk>/<slug:act>", disclosures.act, name="disclosure_act"),
    path("checklists", checklists.checklists, name="checklists"),
    path("checklists/new", checklists.checklist_new, name="checklist_new"),
    path("checklists/<int:checklist>", checklists.checklist, name="checklist"),
    path("checklists/<int:checklist>/file", checklists.checklist_file, name="checklist_file"),
    path("checklists/<int:checklist>/return", checklists.checklist_return, name="checklist_return"),
    path("checklists/<int:checklist>/apply", checklists.checklist_apply, name="checklist_apply"),
    path("identity", identity.identity, name="identity"),
    path("identity/<int:pair>", identity.judge, name="identity_judge"),
    path("identity/words/<int:judgement>/withdraw", identity.withdraw, name="identity_withdraw"),
    path("feeds", views.feeds, name="feeds"),
    path("feeds/held", held.held, name="held"),
]
