"""The forms that take a password: to sign in, and to change it."""

from typing import Any

from django import forms
from django.http import HttpResponse
from unfold.forms import AdminOwnPasswordChangeForm, AuthenticationForm

from config.admin import attempts


class LoginForm(AuthenticationForm):
    """Asks for name and password."""

    def clean(self) -> dict[str, Any]:
        """Check the password, unless there were too many attempts."""
        try:
            attempt = attempts.count(
                attempts.PASSWORD, name=str(self.cleaned_data.get("username", "")), request=self.request
            )
            with attempts.hashing(attempt):
                cleaned: dict[str, Any] = super().clean()
        except attempts.TooManyAttemptsError as error:
            raise refusal(error) from error
        attempt.succeed()
        return cleaned


class PasswordChangeForm(AdminOwnPasswordChangeForm):
    """Asks for the present password and a new one; `request` is set by the view."""

    request: Any

    def clean_old_password(self) -> str:
        """Check the present password, with the same limits as at the login."""
        try:
            attempt = attempts.count(attempts.PASSWORD, name=self.user.get_username(), request=self.request)
            with attempts.hashing(attempt):
                password: str = super().clean_old_password()
        except attempts.TooManyAttemptsError as error:
            raise refusal(error) from error
        attempt.succeed()
        return password


def refusal(error: attempts.TooManyAttemptsError) -> forms.ValidationError:
    """Return the error for a form; `code` makes the response a 429."""
    return forms.ValidationError(str(error), code="too_many_attempts", params={"retry_after": error.seconds})


def refuse(response: HttpResponse) -> HttpResponse:
    """Make the response to a form that was refused for too many attempts a 429."""
    form = (getattr(response, "context_data", None) or {}).get("form")
    if form is not None and form.is_bound and (seconds := _seconds_to_wait(form)):
        response.status_code = 429
        response.headers["Retry-After"] = str(seconds)
    return response


def _seconds_to_wait(form: forms.BaseForm) -> int:
    """Return the seconds that a form asks its user to wait, 0 if it does not."""
    for errors in form.errors.as_data().values():
        for error in errors:
            if error.code == "too_many_attempts" and error.params:
                return int(error.params["retry_after"])
    return 0
