"""A small SMTP server on loopback that keeps what it is given, or refuses it as told."""

from __future__ import annotations

import email
import email.policy
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from typing import cast


@dataclass
class Mailbox:
    """What was received; `answer` replaces "250 taken" to the message, `refused` to a recipient."""

    port: int
    mails: list[EmailMessage] = field(default_factory=list)
    answer: str = "250 taken"
    refused: str | None = None

    @property
    def url(self) -> str:
        return f"smtp://127.0.0.1:{self.port}"


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True
    mailbox: Mailbox


class _Conversation(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        mailbox = cast(_Server, self.server).mailbox
        self._say("220 catcher")
        while line := self.rfile.readline():
            word = line.split()[0].upper().decode() if line.split() else ""
            if word == "DATA":
                self._say("354 go on")
                self._take(mailbox)
            elif word == "RCPT" and mailbox.refused is not None:
                self._say(mailbox.refused)
            elif word == "QUIT":
                self._say("221 bye")
                return
            else:
                self._say("250 fine")

    def _take(self, mailbox: Mailbox) -> None:
        lines = []
        while (line := self.rfile.readline()) not in (b".\r\n", b""):
            lines.append(line.removeprefix(b".") if line.startswith(b"..") else line)
        if mailbox.answer.startswith("250"):
            mail = email.message_from_bytes(b"".join(lines), policy=email.policy.default)
            mailbox.mails.append(cast(EmailMessage, mail))
        self._say(mailbox.answer)

    def _say(self, words: str) -> None:
        self.wfile.write(f"{words}\r\n".encode())


@contextmanager
def mail_catcher() -> Iterator[Mailbox]:
    """A running server and what it receives."""
    with _Server(("127.0.0.1", 0), _Conversation) as server:
        server.mailbox = Mailbox(server.server_address[1])
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield server.mailbox
        finally:
            server.shutdown()
            thread.join()
