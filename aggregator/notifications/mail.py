"""Mail over SMTP, encrypted unless the server is this machine."""

from __future__ import annotations

import smtplib
import ssl
from email.message import EmailMessage
from email.utils import format_datetime, formataddr, parseaddr
from types import TracebackType
from typing import Self
from urllib.parse import unquote, urlsplit

from aggregator.domain.errors import NotDelivered
from aggregator.domain.normalization.names import clean_text
from aggregator.domain.notices import Notice
from aggregator.settings import Settings

_SECONDS = 20.0
_LOOPBACK = {"localhost", "127.0.0.1", "::1"}


def build_mail(notice: Notice, sender: str) -> EmailMessage:
    """The notice as a mail with a text and, where it has one, an HTML part; its Message-ID is the same each time."""
    name, address = parseaddr(sender)
    mail = EmailMessage()
    mail["From"] = formataddr((clean_text(name, 100), address))
    mail["To"] = notice.recipient
    mail["Subject"] = clean_text(notice.content["subject"], 200)
    mail["Date"] = format_datetime(notice.created_at)
    mail["Message-ID"] = f"<{notice.id}@{address.rpartition('@')[2] or 'localhost'}>"
    # RFC 3834: no out-of-office answers to a program.
    mail["Auto-Submitted"] = "auto-generated"
    for header, value in notice.content.get("headers", {}).items():
        mail[header] = clean_text(value, 500)
    mail.set_content(notice.content["text"])
    if notice.content.get("html"):
        mail.add_alternative(notice.content["html"], subtype="html")
    return mail


class MailServer:
    """One connection to the configured server, opened for the first mail and used for all; a context manager."""

    def __init__(self, settings: Settings) -> None:
        self._url = settings.smtp_url
        self._sender = settings.mail_from
        self._connection: smtplib.SMTP | None = None
        self._is_down: str | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._leave()

    def send(self, notice: Notice) -> None:
        """Hand one mail over. Raises NotDelivered, final where the server says that this mail will never do."""
        try:
            mail = build_mail(notice, self._sender)
        except (KeyError, ValueError, TypeError) as error:
            raise NotDelivered(
                notice.recipient, f"no mail can be made of it: {error}", is_final=True
            ) from error
        if self._is_down is not None:
            raise NotDelivered(notice.recipient, self._is_down)
        try:
            connection = self._connect()
        except (OSError, smtplib.SMTPException) as error:
            # The others of this round need not wait for the same answer.
            self._is_down = f"the mail server cannot be reached: {error}"
            raise NotDelivered(notice.recipient, self._is_down) from error
        try:
            connection.send_message(mail)
        except smtplib.SMTPRecipientsRefused as error:
            code, words = next(iter(error.recipients.values()), (0, b""))
            raise NotDelivered(notice.recipient, _said(code, words), is_final=500 <= code < 600) from error
        except smtplib.SMTPDataError as error:
            is_final = 500 <= error.smtp_code < 600
            raise NotDelivered(
                notice.recipient, _said(error.smtp_code, error.smtp_error), is_final=is_final
            ) from error
        except (OSError, smtplib.SMTPException) as error:
            self._leave()
            raise NotDelivered(notice.recipient, f"the mail server broke off: {error}") from error

    def _connect(self) -> smtplib.SMTP:
        if self._connection is not None:
            return self._connection
        if self._url is None:
            raise OSError("none is set (CLICK2CART_SMTP_URL)")
        parts = urlsplit(self._url)
        host = parts.hostname or ""
        tls = ssl.create_default_context()
        connection: smtplib.SMTP
        if parts.scheme == "smtps":
            connection = smtplib.SMTP_SSL(host, parts.port or 465, timeout=_SECONDS, context=tls)
        else:
            connection = smtplib.SMTP(host, parts.port or 587, timeout=_SECONDS)
        try:
            if parts.scheme == "smtp" and host not in _LOOPBACK:
                connection.starttls(context=tls)
            if parts.username:
                connection.login(unquote(parts.username), unquote(parts.password or ""))
        except BaseException:
            connection.close()
            raise
        self._connection = connection
        return connection

    def _leave(self) -> None:
        connection, self._connection = self._connection, None
        if connection is None:
            return
        try:
            connection.quit()
        except (OSError, smtplib.SMTPException):
            connection.close()


def _said(code: int, words: bytes | str) -> str:
    text = words.decode("utf-8", "replace") if isinstance(words, bytes) else words
    return f"the mail server refused it: {code} {clean_text(text, 200)}"
