"""
Celery's queues in Redis, in which equal messages wait once.

A queue is the Redis list that kombu reads with BRPOP. Beside it a sorted set holds a member for each message
in the list, scored in the order of their pushes. The list is first in, first out, so the messages that are
still in it are the newest `LLEN` ones: the set shows what waits without any help from workers. If Redis loses
one of the two, a message is published once more at worst.
"""

import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from config.lib import redis

# Messages published by one call; Redis does nothing else meanwhile.
MOST = 500

_PUBLISH = """
for i = 1, #KEYS, 2 do
  local queue, waiting = KEYS[i], KEYS[i + 1]
  local newest = redis.call('ZRANGE', waiting, -1, -1, 'WITHSCORES')[2] or 0
  redis.call('ZREMRANGEBYSCORE', waiting, '-inf', newest - redis.call('LLEN', queue))
  if not redis.call('ZSCORE', waiting, ARGV[i]) then
    redis.call('ZADD', waiting, newest + 1, ARGV[i])
    redis.call('LPUSH', queue, ARGV[i + 1])
  end
end
"""


@dataclass(frozen=True, slots=True)
class Message:
    """A call of a Celery task by name, for one of the queues."""

    queue: str
    task: str
    kwargs: dict[str, str]
    correlation_id: str = ""

    def encode(self) -> str:
        """
        Return the message as a worker reads it.

        Celery's task protocol 2 (docs.celeryq.dev/en/stable/internals/protocol.html) in kombu's envelope for
        Redis, without the headers that a task with nothing but ids does not need.
        """
        return json.dumps(
            {
                "body": json.dumps([[], self.kwargs, {}]),
                "content-encoding": "utf-8",
                "content-type": "application/json",
                "headers": {
                    "lang": "py",
                    "task": self.task,
                    "id": secrets.token_hex(8),
                    "correlation_id": self.correlation_id,
                },
                "properties": {"delivery_tag": "", "delivery_info": {"routing_key": self.queue}},
            },
            separators=(",", ":"),
        )


def key(task: str, kwargs: Mapping[str, str]) -> str:
    """Return the key of a message; equal messages have the same."""
    return ":".join((task, *kwargs.values()))


def publish(messages: Sequence[Message]) -> None:
    """
    Publish messages, except those of which an equal one is in its queue.

    :raises RedisUnavailableError: if Redis does not take them
    """
    for start in range(0, len(messages), MOST):
        some = messages[start : start + MOST]
        keys = [name for message in some for name in (message.queue, f"{message.queue}:waiting")]
        arguments = [
            text for message in some for text in (key(message.task, message.kwargs), message.encode())
        ]
        redis.call(redis.client().eval, _PUBLISH, len(keys), *keys, *arguments)
