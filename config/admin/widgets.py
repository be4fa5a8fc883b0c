"""Fields of buttons' forms, dressed as unfold's."""

from typing import Any

from django import forms
from unfold import widgets


def text(label: str, *, required: bool = True, most: int = 255, help_text: str = "") -> forms.CharField:
    """Make a field of one line."""
    return forms.CharField(
        label=label,
        required=required,
        max_length=most,
        help_text=help_text,
        widget=widgets.UnfoldAdminTextInputWidget(),
    )


def long_text(label: str, *, required: bool = True, most: int = 4000, help_text: str = "") -> forms.CharField:
    """Make a field of several lines."""
    return forms.CharField(
        label=label,
        required=required,
        max_length=most,
        help_text=help_text,
        strip=False,
        widget=widgets.UnfoldAdminTextareaWidget(),
    )


def secret(label: str, *, required: bool = True, help_text: str = "") -> forms.CharField:
    """Make a field whose content is never shown again, not even in a form that comes back with an error."""
    return forms.CharField(
        label=label,
        required=required,
        max_length=4000,
        help_text=help_text,
        widget=widgets.UnfoldAdminPasswordWidget(attrs={"autocomplete": "off"}, render_value=False),
    )


def number(label: str, *, least: int | None = None, most: int | None = None, help_text: str = "") -> Any:
    """Make a field for a whole number."""
    return forms.IntegerField(
        label=label,
        min_value=least,
        max_value=most,
        help_text=help_text,
        widget=widgets.UnfoldAdminIntegerFieldWidget(),
    )


def choice(label: str, *, required: bool = True, help_text: str = "", choices: Any = ()) -> Any:
    """Make a field for one of several; a form may fill in which when it knows the row."""
    return forms.ChoiceField(
        label=label,
        required=required,
        choices=choices,
        help_text=help_text,
        widget=widgets.UnfoldAdminSelectWidget(),
    )


def switch(label: str, *, help_text: str = "") -> forms.BooleanField:
    """Make a field for yes or no."""
    return forms.BooleanField(
        label=label, required=False, help_text=help_text, widget=widgets.UnfoldBooleanSwitchWidget()
    )


def moment(label: str, *, required: bool = True, help_text: str = "") -> Any:
    """Make a field for a date and a time, in UTC."""
    return forms.SplitDateTimeField(
        label=label,
        required=required,
        help_text=help_text,
        widget=widgets.UnfoldAdminSplitDateTimeWidget(),
    )


def day(label: str, *, help_text: str = "") -> forms.DateField:
    """Make a field for a day."""
    return forms.DateField(label=label, help_text=help_text, widget=widgets.UnfoldAdminSingleDateWidget())


def document(label: str, *, help_text: str = "") -> forms.JSONField:
    """Make a field for a JSON object."""
    return forms.JSONField(
        label=label, required=False, help_text=help_text, widget=widgets.UnfoldAdminTextareaWidget()
    )
