"""`Idempotency-Key`: a request that is sent again with its key changes nothing twice and gets the first answer."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

from flask import Response, request

from aggregator.accounts.repeated_requests import Answered, find_answer, keep_answer
from web import context
from web.db import current_session
from web.errors import problem

LONGEST_KEY = 200


def answered_once(change: Callable[[], Response]) -> Response:
    """The answer of `change`, or the kept one of the same request; 422 where the key came with another request.

    Kept for a day in the same transaction as the change. An error is not kept, so that it can be tried again, nor is
    what no store may keep: tokens lie in the database as hashes alone.
    """
    key = request.headers.get("Idempotency-Key")
    owner = _owner()
    if key is None:
        return change()
    if not 0 < len(key) <= LONGEST_KEY:
        return problem(400, f"Idempotency-Key has 1 to {LONGEST_KEY} characters.")
    asked = hashlib.sha256(
        b"\0".join((request.method.encode(), request.full_path.encode(), request.get_data()))
    ).digest()
    session = current_session()
    kept = find_answer(session, owner, key) if owner else None
    if kept is not None:
        if kept.request_digest != asked:
            return problem(422, "This Idempotency-Key came with another request before.")
        answer = Response(kept.body, kept.status, content_type=kept.content_type or None)
        answer.headers["Idempotency-Replayed"] = "true"
        return answer
    answer = change()
    # A guest's first change gives it the cart that its keys belong to: sent again with that cookie, it is the same.
    owner = _guest(context.new_cart_token()) or owner
    if owner and answer.status_code < 400 and not answer.cache_control.no_store:
        keep_answer(
            session,
            owner,
            key,
            Answered(asked, answer.status_code, answer.content_type or "", answer.get_data()),
        )
    return answer


def _owner() -> str | None:
    """Whose keys these are; a guest without a cart has none yet."""
    account = context.current_account()
    if account is not None:
        return f"account:{account.account_id}"
    return _guest(context.guest_cart_token())


def _guest(token: str | None) -> str | None:
    return f"guest:{token}" if token else None
