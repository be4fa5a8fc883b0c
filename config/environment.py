"""Environment variables for the settings: values that cannot be read are recorded, all of them."""

import json
import secrets
from pathlib import Path
from typing import Any

import environ
from django.core.exceptions import ImproperlyConfigured

from config.lib import local_secrets

_KINDS = {int: "a whole number", bool: "true or false", json.loads: "JSON"}
_FALSE = {"false", "off", "no", "n", "0"}
_EMAIL_FORM = "smtp+tls://user:password@host:587"
_DATABASE_FORM = "postgres://user:password@host:5432/name"


class Environment(environ.Env):  # type: ignore[misc]  # django-environ has no types
    """
    Like `environ.Env`, but does not stop at the first value it cannot read.

    `faults` names all of them, for `config/checks.py` to report together. Secrets that are not set come from
    `secrets_dir`, if there is one; `local_secrets` names them.
    """

    def __init__(self) -> None:
        super().__init__()
        self.faults: list[str] = []
        self.secrets_dir: Path | None = None
        self.local_secrets: set[str] = set()

    def secret(self, var: str) -> str:
        """Return a secret: the variable's value, else this checkout's own, else nothing."""
        value: str = self.str(var, default="")
        if value or self.secrets_dir is None:
            return value
        self.local_secrets.add(var)
        try:
            return local_secrets.get(self.secrets_dir, var)
        except OSError as error:
            self.faults.append(f"{var} is not set, and DATA_DIR cannot hold one: {error}.")
            return secrets.token_urlsafe(50)

    def secret_list(self, var: str) -> list[str]:
        """Return the secrets of a variable that may hold several with commas."""
        return [part.strip() for part in self.secret(var).split(",") if part.strip()]

    def get_value(self, var: str, cast: Any = None, default: Any = None, parse_default: bool = False) -> Any:  # noqa: FBT001, FBT002  (as environ has it)
        """Return a variable's value; its default if it cannot be read."""
        try:
            value = super().get_value(var, cast=cast, default=default, parse_default=parse_default)
            if cast is bool and value is False:
                self._require_false(var)
        except ValueError:
            # JSON may hold passwords, such as a storage's.
            value_text = "" if cast is json.loads else f", not {self.ENVIRON.get(var)!r}"
            self.faults.append(f"{var} must be {_KINDS.get(cast, 'readable')}{value_text}.")
            return default
        return value

    def _require_false(self, var: str) -> None:
        if (word := self.ENVIRON.get(var)) is not None and word.strip().lower() not in _FALSE:
            raise ValueError(word)

    def email_url(self, var: str, default: str) -> dict[str, Any]:
        """Return Django's settings for a mail server's URL."""
        try:
            settings: dict[str, Any] = super().email_url(var, default=default)
        except (ImproperlyConfigured, ValueError):
            self.faults.append(f"{var} must be of the form {_EMAIL_FORM}.")
            settings = self.email_url_config(default)
        return settings

    def database(self, var: str, url: str) -> dict[str, Any]:
        """Return Django's settings for the database at `url`, the value of `var`."""
        try:
            if url.partition("://")[0] in self.POSTGRES_FAMILY:
                settings: dict[str, Any] = self.db_url_config(url)
                return settings
        except ValueError:
            pass
        if url:
            self.faults.append(f"{var} must be of the form {_DATABASE_FORM}.")
        return {}
