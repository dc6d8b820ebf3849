"""What the desk's forms accept."""

from __future__ import annotations

from django import forms
from django.utils import timezone


class EntryForm(forms.Form):
    """Manual entry of a clue: six fields."""

    title = forms.CharField(max_length=120)
    office = forms.CharField(max_length=6)
    township = forms.CharField(max_length=40, required=False)
    occurred_on = forms.DateField(initial=timezone.localdate)
    level = forms.ChoiceField(
        choices=[(v, v) for v in ("urgent", "important", "ordinary")], initial="ordinary"
    )
    text = forms.CharField(max_length=4000)
