"""
Finds the talks that have gone quiet, and opens one reading for each quiet period.

`conversations.extract_at` says when to look: it is set by the first message of a customer after a reading, so
messages do not move it, and only talks that are owed a reading have one. Whoever looks too early, moves it.
"""

from typing import Any

import structlog
from django.conf import settings
from django.db import transaction
from psycopg.types.json import Jsonb

from billing import events
from billing.events import EventType, NewEvent
from channels_app import customer_object
from config.lib import ids, redis, sql
from config.lib.jobs import Job, ring_now
from extraction import runs

log = structlog.get_logger(__name__)

BATCH = 500
# A ring wakes a thread, which goes on with what waits longest: enough for the threads of a few processes, so
# that the others wait in Postgres and not in the memory of the first process to look.
RINGS = 32


def look() -> int:
    """Open readings of talks that went quiet, ring for those that nobody holds, and return for how many."""
    while _look_at_some():
        pass
    waiting = runs.unheld(most=RINGS)
    try:
        for conversation_id in waiting:
            ring_now(Job.EXTRACT, conversation_id=conversation_id)
    except redis.RedisUnavailableError as error:
        log.warning("extraction.not_rung", reason=str(error))
    return len(waiting)


@transaction.atomic
def _look_at_some() -> bool:
    """Look at the talks whose time has come, BATCH at most; tell whether there may be more."""
    due = sql.rows(_DUE, {"interval": settings.EXTRACTION_INTERVAL, "most": BATCH})
    if not due:
        return False
    quiet = [conversation for conversation in due if conversation["is_quiet"] and not conversation["is_busy"]]
    facts = {
        "due": [conversation["conversation_id"] for conversation in due],
        "quiet": [conversation["conversation_id"] for conversation in quiet],
        "interval": settings.EXTRACTION_INTERVAL,
        "soonest": settings.EXTRACTION_LOOK_INTERVAL / 1000,
    }
    sql.execute(_LOOK_AGAIN, facts)
    _open([conversation for conversation in quiet if not conversation["is_known"]])
    return len(due) == BATCH


_QUIET_AT = """
    talk.last_message_at + make_interval(secs => 0.001 * COALESCE(agent.extraction_interval, %(interval)s))
"""

# Busy: an answer is being made, or it is being read. Known: a reading by hand has seen all there is.
_DUE = f"""
    SELECT talk.conversation_id, talk.user_id, talk.agent_id, talk.customer_phone, talk.last_message_at,
           talk.last_sequence_no, talk.customer_id, customer.phone_number_id,
           {_QUIET_AT} <= statement_timestamp() AS is_quiet,
           EXISTS (SELECT 1 FROM turns WHERE turns.customer_id = talk.customer_id
                                         AND turns.state IN ('claimed', 'answered'))
           OR EXISTS (SELECT 1 FROM extractions AS run WHERE run.conversation_id = talk.conversation_id
                                                         AND run.status IN ('waiting', 'running')) AS is_busy,
           EXISTS (SELECT 1 FROM extractions AS run
                    WHERE run.conversation_id = talk.conversation_id
                      AND run.upto_sequence_no >= talk.last_sequence_no
                      AND run.status IN ('succeeded', 'empty')) AS is_known
      FROM conversations AS talk
      JOIN agents AS agent USING (agent_id)
      JOIN customers AS customer ON customer.customer_id = talk.customer_id
     WHERE talk.extract_at <= statement_timestamp()
     ORDER BY talk.extract_at
     LIMIT %(most)s
       FOR NO KEY UPDATE OF talk SKIP LOCKED
"""  # noqa: S608  (our own words)

_LOOK_AGAIN = f"""
    UPDATE conversations AS talk
       SET extract_at = CASE WHEN NOT talk.conversation_id = ANY(%(quiet)s)
                             THEN GREATEST({_QUIET_AT},
                                           statement_timestamp() + make_interval(secs => %(soonest)s)) END
      FROM agents AS agent
     WHERE talk.conversation_id = ANY(%(due)s) AND agent.agent_id = talk.agent_id
"""  # noqa: S608  (our own words)


def _open(conversations: list[dict[str, Any]]) -> None:
    rows = [
        {
            "extraction_id": ids.new("ext"),
            "conversation_id": conversation["conversation_id"],
            "user_id": conversation["user_id"],
            "upto": conversation["last_sequence_no"],
        }
        for conversation in conversations
    ]
    opened = {row["conversation_id"] for row in sql.rows(_OPEN, [Jsonb(rows)])}
    idle = [conversation for conversation in conversations if conversation["conversation_id"] in opened]
    customers = customer_object.find([conversation["customer_id"] for conversation in idle])
    events.record_all([_idle(conversation, customers[conversation["customer_id"]]) for conversation in idle])


# Whoever looks at the same moment opens none: each quiet period has one.
_OPEN = """
    INSERT INTO extractions (extraction_id, conversation_id, user_id, trigger, upto_sequence_no)
    SELECT extraction_id, conversation_id, user_id, 'quiet', upto
      FROM jsonb_to_recordset(%s) AS talk (extraction_id text, conversation_id text, user_id text, upto int)
        ON CONFLICT DO NOTHING
    RETURNING conversation_id
"""


def _idle(conversation: dict[str, Any], customer: dict[str, Any]) -> NewEvent:
    return NewEvent(
        user_id=conversation["user_id"],
        type=EventType.CONVERSATION_IDLE,
        data={
            "phone_number_id": conversation["phone_number_id"],
            "agent_id": conversation["agent_id"],
            "customer_phone": conversation["customer_phone"],
            "customer": customer,
            "last_message_at": conversation["last_message_at"].isoformat(),
        },
        conversation_id=conversation["conversation_id"],
    )
