"""What the desk's forms accept."""

from __future__ import annotations

from django import forms
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

#: An earlier year is a slip of the keyboard: no matter a supervision centre takes up is that old.
_EARLIEST = 2000
_REQUIRED = {"required": _("此项必填")}


class EntryForm(forms.Form):
    """Manual entry of a clue: six fields; every complaint stands at its field."""

    title = forms.CharField(max_length=120, error_messages=_REQUIRED)
    office = forms.CharField(max_length=6, error_messages=_REQUIRED)
    township = forms.CharField(max_length=40, required=False)
    occurred_on = forms.DateField(
        initial=timezone.localdate,
        error_messages={**_REQUIRED, "invalid": _("日期无法识别，请写成 2026-11-05")},
    )
    level = forms.ChoiceField(
        choices=[(v, v) for v in ("urgent", "important", "ordinary")], initial="ordinary"
    )
    text = forms.CharField(max_length=4000, error_messages=_REQUIRED)

    def clean_occurred_on(self) -> object:
        day = self.cleaned_data["occurred_on"]
        if day.year < _EARLIEST:
            raise forms.ValidationError(_("发生日期不能早于 2000 年，请核对年份"))
        if day > timezone.localdate():
            raise forms.ValidationError(_("发生日期不能晚于今天"))
        return day
