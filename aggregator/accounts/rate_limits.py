"""Limits on attempts: counted in Redis while it answers, else in PostgreSQL; slower then, never open."""

from __future__ import annotations

import hashlib
import logging
from dataclasses import dataclass
from datetime import UTC, datetime

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from aggregator.db.models import RateLimitRow
from aggregator.domain.errors import TooManyAttempts

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Limit:
    """At most so many attempts of one kind by one subject in a window of so many seconds."""

    kind: str
    attempts: int
    seconds: int


@dataclass(frozen=True, slots=True)
class Allowance:
    """How many attempts are left of a window, which ends in so many seconds."""

    left: int
    seconds: int


class RateLimits:
    """Counts attempts. Build one per process; without `redis_url` it counts in PostgreSQL alone."""

    def __init__(self, redis_url: str | None = None) -> None:
        self._redis = redis_url and Redis.from_url(
            redis_url, socket_timeout=0.5, socket_connect_timeout=0.5, retry=Retry(NoBackoff(), 0)
        )

    def count(self, session: Session, limit: Limit, subject: str) -> Allowance:
        """Count one attempt and tell how many are left; raises TooManyAttempts beyond the limit.

        The count stands even if the session is rolled back afterwards. `subject` (an address, a client) is
        stored as a hash. While Redis comes or goes, one window may be counted in both places and let up to
        twice the limit through.
        """
        now = int(datetime.now(UTC).timestamp())
        window = now - now % limit.seconds
        key = f"{limit.kind}:{hashlib.sha256(subject.encode('utf-8', 'surrogatepass')).hexdigest()[:32]}"
        attempts = self._count_in_redis(key, window, limit)
        if attempts is None:
            attempts = _count_in_postgresql(session, key, window)
        if attempts > limit.attempts:
            raise TooManyAttempts(window + limit.seconds - now)
        return Allowance(limit.attempts - attempts, window + limit.seconds - now)

    def _count_in_redis(self, key: str, window: int, limit: Limit) -> int | None:
        if not self._redis:
            return None
        name = f"rate:{key}:{window}"
        try:
            with self._redis.pipeline(transaction=True) as pipeline:
                pipeline.set(name, 0, ex=limit.seconds, nx=True)
                pipeline.incr(name)
                return int(pipeline.execute()[1])
        except RedisError as error:
            log.warning("rate limits are counted in PostgreSQL, Redis does not answer: %s", error)
            return None


def _count_in_postgresql(session: Session, key: str, window: int) -> int:
    # In a transaction of its own: the attempt that is counted mostly fails and rolls back.
    with session.get_bind().engine.begin() as connection:
        counting = insert(RateLimitRow).values(
            key=key, window_starts_at=datetime.fromtimestamp(window, UTC), attempts=1
        )
        return connection.execute(
            counting.on_conflict_do_update(
                index_elements=["key", "window_starts_at"], set_={"attempts": RateLimitRow.attempts + 1}
            ).returning(RateLimitRow.attempts)
        ).scalar_one()
