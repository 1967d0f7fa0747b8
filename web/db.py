"""One database session per request: committed when the view returned, rolled back when it raised."""

from __future__ import annotations

from flask import Flask, Response, current_app, g
from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

from aggregator.db.migrate import is_migrated
from aggregator.db.session import Sessions, database

__all__ = [
    "Sessions",
    "current_session",
    "database",
    "database_address",
    "is_ready",
    "limit_statements",
    "prepare",
    "roll_back",
    "sessions_of",
]

_SESSIONS = "click2cart.sessions"


def prepare(app: Flask, sessions: Sessions) -> None:
    """Give the application its database sessions."""
    app.extensions[_SESSIONS] = sessions
    # Before the answer leaves, so that a commit that fails is still answered with an error.
    app.after_request(_commit)
    app.teardown_appcontext(_close)


def sessions_of(app: Flask) -> Sessions:
    """The application's database sessions, for what is no request."""
    sessions: Sessions = app.extensions[_SESSIONS]
    return sessions


def current_session() -> Session:
    """The session of this request, opened when it is first needed."""
    if "database_session" not in g:
        sessions: Sessions = current_app.extensions[_SESSIONS]
        g.database_session = sessions()
    session: Session = g.database_session
    return session


def limit_statements(seconds: int) -> None:
    """Let no statement of this request run longer; one that does is broken off, and the request fails."""
    current_session().execute(
        text("select set_config('statement_timeout', :limit, true)"), {"limit": f"{seconds}s"}
    )


def roll_back() -> None:
    """Undo what this request did so far; every error handler begins with it."""
    if "database_session" in g:
        g.database_session.rollback()


def is_ready() -> bool:
    """Whether the database answers and has this program's schema. Raises where it cannot be reached."""
    return is_migrated(_engine(current_app.extensions[_SESSIONS]))


def database_address(sessions: Sessions) -> str:
    """The address of the database, password included: for a child process, never for a log."""
    return _engine(sessions).url.render_as_string(hide_password=False)


def _engine(sessions: Sessions) -> Engine:
    engine: Engine = sessions.kw["bind"].engine
    return engine


def _commit(response: Response) -> Response:
    if "database_session" in g:
        g.database_session.commit()
    return response


def _close(_error: BaseException | None) -> None:
    session: Session | None = g.pop("database_session", None)
    if session is not None:
        session.close()
