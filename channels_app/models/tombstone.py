"""Tombstones of erased customers."""

from django.db import models
from django.db.models.functions import Now


class Tombstone(models.Model):
    """
    An address, message or delivery of a customer who was erased, as a keyed hash.

    It keeps a replayed or late webhook from bringing their data back; nobody can read the address from it.
    """

    class Kind(models.TextChoices):
        PERSON = "person"
        MESSAGE = "message"

    digest = models.CharField(primary_key=True, max_length=64, help_text="HMAC-SHA256, see tombstones")
    kind = models.CharField(max_length=10, choices=Kind.choices)
    erased_at = models.DateTimeField(
        db_default=Now(), help_text="what a person wrote until then is not stored again"
    )

    class Meta:
        db_table = "tombstones"
        indexes = [
            # read by retention.purge
            models.Index(fields=["erased_at"], name="tombstones_by_age")
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.digest[:8]}"
