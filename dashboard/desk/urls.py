from django.urls import path

from dashboard.accounts import sign_in
from dashboard.desk import alarms, held, views

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
    path("clues/<str:number>/interference", views.interference, name="interference"),
    path("clues/<str:number>/<slug:move>", views.move, name="move"),
    path("alarms", alarms.alarms, name="alarms"),
    path("alarms/<int:alarm>/<slug:move>", alarms.act, name="alarm"),
    path("feeds", views.feeds, name="feeds"),
    path("feeds/held", held.held, name="held"),
]
