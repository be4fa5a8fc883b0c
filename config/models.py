"""Who is alive, and who is in charge of what must be done by one process at a time."""

from django.db import models


class Heartbeat(models.Model):
    """A process said it is alive; read by /health/ready."""

    instance = models.CharField(primary_key=True, max_length=100)
    role = models.CharField(max_length=20)
    beat_at = models.DateTimeField()

    class Meta:
        db_table = "heartbeats"


class LeaderLease(models.Model):
    """One process at a time leads; a row and not a session lock, which breaks behind a transaction pooler."""

    name = models.CharField(primary_key=True, max_length=50)
    holder = models.CharField(max_length=100)
    expires_at = models.DateTimeField()

    class Meta:
        db_table = "leader_leases"
