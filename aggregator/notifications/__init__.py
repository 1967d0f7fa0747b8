"""Notices: what is told to people by mail and to programs by webhook, and the outbox it waits in."""
