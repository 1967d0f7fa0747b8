"""Who hands over a notice, by its channel. What it must know of an account is read before it sends."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from aggregator.accounts.links import site_origin
from aggregator.accounts.mail_addresses import is_mail_address
from aggregator.db.session import Sessions
from aggregator.domain.errors import NotDelivered, RecipientGone
from aggregator.domain.notices import Channel, Notice
from aggregator.fetching import Fetcher
from aggregator.notifications.mail import MailServer
from aggregator.notifications.messengers import send_to_messenger
from aggregator.notifications.sms import SmsGateway
from aggregator.notifications.web_push import PushSender
from aggregator.notifications.webhooks import WebhookSender
from aggregator.settings import Settings
from aggregator.shopping.alert_browsers import find_subscription, forget_browser
from aggregator.shopping.alert_channels import find_webhook_key
from aggregator.shopping.alert_messengers import find_messenger

Senders = Mapping[Channel, Callable[[Notice], None]]


def senders_of(settings: Settings, sessions: Sessions, mail: MailServer, fetcher: Fetcher) -> Senders:
    """All senders; each raises NotDelivered. No transaction is open while one sends."""
    webhooks = WebhookSender(settings, fetcher)
    push = PushSender(settings, fetcher, contact=_contact(settings))

    def post(notice: Notice) -> None:
        key = None
        if notice.account_id is not None:
            with sessions.begin() as session:
                key = find_webhook_key(session, settings, notice.account_id)
        webhooks.send(notice, key)

    def show(notice: Notice) -> None:
        with sessions.begin() as session:
            subscription = find_subscription(session, settings, notice.recipient)
        if subscription is None:
            raise NotDelivered("a browser", "it takes no notices any more", is_final=True)
        try:
            push.send(notice, subscription)
        except RecipientGone:
            with sessions.begin() as session:
                forget_browser(session, notice.recipient)
            raise

    def write(notice: Notice) -> None:
        with sessions.begin() as session:
            messenger = find_messenger(session, settings, notice.recipient)
        if messenger is None:
            raise NotDelivered("a messenger", "its owner removed it", is_final=True)
        send_to_messenger(messenger, notice.content["title"], notice.content["text"])

    return {
        "mail": keep_in_inbox if settings.has_inbox else mail.send,
        "sms": keep_in_inbox if settings.has_inbox else SmsGateway(settings, fetcher).send,
        "webhook": post,
        "push": show,
        "messenger": write,
    }


def _contact(settings: Settings) -> str:
    """Whom a push service may write to about what we send (RFC 8292, section 2.1)."""
    contact = settings.contact.strip()
    if contact.startswith("https://"):
        return contact
    return f"mailto:{contact}" if is_mail_address(contact) else site_origin(settings)


def keep_in_inbox(notice: Notice) -> None:
    """The demo sends nothing: its inbox page shows the notice itself."""
