"""SMS by a gateway that takes them as JSON over HTTPS: every provider has one, or a few lines before it."""

from __future__ import annotations

from aggregator.domain.errors import FetchRefused, NotDelivered, StoreError
from aggregator.domain.notices import Notice
from aggregator.fetching import Fetcher
from aggregator.settings import Settings

_SECONDS = 15.0


class SmsGateway:
    """Posts `{"id", "to", "text"}` to the configured address with one fetcher; close that yourself."""

    def __init__(self, settings: Settings, fetcher: Fetcher) -> None:
        self._url = settings.sms_gateway
        self._token = settings.sms_token
        self._fetcher = fetcher

    def send(self, notice: Notice) -> None:
        """Hand one over; any 2xx answer takes it. Raises NotDelivered; the number is in no message of it."""
        if not self._url:
            raise NotDelivered("a phone", "no gateway is set (CLICK2CART_SMS_GATEWAY)", is_final=True)
        document = {"id": notice.id, "to": notice.recipient, "text": notice.content["text"]}
        headers = {"Authorization": f"Bearer {self._token}"} if self._token else {}
        try:
            answer = self._fetcher.post_json(
                self._url,
                document,
                # Providers that know this header send a repeat once.
                headers={"Idempotency-Key": notice.id, **headers},
                max_bytes=100_000,
                max_seconds=_SECONDS,
            )
        except FetchRefused as error:
            raise NotDelivered("a phone", error.problem, is_final=True) from error
        except StoreError as error:
            raise NotDelivered("a phone", error.problem) from error
        if not 200 <= answer.status < 300:
            is_final = 400 <= answer.status < 500 and answer.status not in {408, 429}
            raise NotDelivered("a phone", f"the gateway answered HTTP {answer.status}", is_final=is_final)
