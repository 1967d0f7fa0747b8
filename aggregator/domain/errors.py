"""The one family of errors.

Click2CartError                 anything we can explain in one line
├── InvalidInput                what was given cannot be used; says where and what to do        exit 2, HTTP 400
│   └── BasketError             a basket file, with the JSON path
├── NotFound                    what was asked for does not exist                               exit 2, HTTP 404
├── Conflict                    it exists already, or runs already                              exit 1, HTTP 409
│   └── ContradictedVerdict     earlier verdicts say the opposite; names them in their order
├── TooManyAttempts             a limit on tries is reached                                     exit 1, HTTP 429
├── SecondFactorNeeded          a right password, of an account that asks for more              exit 1, HTTP 401
├── EnvironmentProblem          this machine or a server it needs: port, disk, database         exit 2, HTTP 503
│   └── SchemaMismatch          the database is newer or older than this program
├── NotDelivered                a notice could not be handed over                              retryable unless final
│   └── RecipientGone           nothing is to be sent there again
└── StoreError                  a store could not be read
    ├── FetchRefused            our own guard or the store's robots.txt forbids the address
    ├── FetchFailed             the network or the server failed                                retryable
    ├── Throttled               the store asks for patience (429, 503 with Retry-After)         retryable
    └── UnreadableAnswer        an answer that is not what the platform's protocol promises     retryable
"""

from __future__ import annotations

from aggregator.domain.masked_addresses import mask_address


class Click2CartError(Exception):
    """Root of the family. `str(error)` is one line fit for a person; `exit_code` is the command line's."""

    exit_code = 2
    retryable = False


class InvalidInput(Click2CartError):
    """What was given cannot be used. `place` is a path, option or field, `remedy` says what to do."""

    def __init__(self, problem: str, *, place: str = "", remedy: str = "") -> None:
        self.problem, self.place, self.remedy = problem, place, remedy
        super().__init__(f"{place + ': ' if place else ''}{problem}{'; ' + remedy if remedy else ''}")


class BasketError(InvalidInput):
    """A basket that cannot be planned; `place` is the JSON path of the fault."""


class NotFound(Click2CartError):
    """`kind` names what was looked for ("product", "store"), `key` what it was looked for by."""

    def __init__(self, kind: str, key: str) -> None:
        self.kind, self.key = kind, key
        super().__init__(f"no such {kind}: {key}")


class Conflict(Click2CartError):
    """The thing exists or runs already."""

    exit_code = 1


class ContradictedVerdict(Conflict):
    """A word on a pair that earlier verdicts exclude. `chain` holds their public ids, from one offer to the other."""

    def __init__(self, chain: tuple[str, ...]) -> None:
        self.chain = chain
        super().__init__(
            f"earlier verdicts say the opposite ({', '.join(chain)}); withdraw one of them first, nothing was changed"
        )


class TooManyAttempts(Click2CartError):
    """A limit on tries is reached; `retry_after` is in seconds."""

    exit_code = 1
    retryable = True

    def __init__(self, retry_after: int) -> None:
        self.retry_after = retry_after
        super().__init__(f"too many attempts; try again in {-(-retry_after // 60)} min")


class SecondFactorNeeded(Click2CartError):
    """A sign-in that goes on with a second factor; `challenge` is the token to go on with."""

    exit_code = 1

    def __init__(self, challenge: str) -> None:
        self.challenge = challenge
        super().__init__("this account asks for a second factor; sign in with a code of it")


class EnvironmentProblem(Click2CartError):
    """This machine, its disk, ports or servers; the message ends with the remedy."""


class SchemaMismatch(EnvironmentProblem):
    """The database's schema is not this program's."""


class NotDelivered(Click2CartError):
    """A notice could not be handed over; `is_final` where trying again is in vain."""

    exit_code = 1

    def __init__(self, recipient: str, problem: str, *, is_final: bool = False) -> None:
        self.recipient, self.problem, self.is_final = recipient, problem, is_final
        self.retryable = not is_final
        super().__init__(f"{recipient}: {problem}")


class RecipientGone(NotDelivered):
    """The recipient is there no more: nothing is to be sent to it again."""

    def __init__(self, recipient: str, problem: str) -> None:
        super().__init__(recipient, problem, is_final=True)


class StoreError(Click2CartError):
    """A store could not be read; `url` is the address concerned, of which the message leaves out keys and passwords."""

    exit_code = 1

    def __init__(self, url: str, problem: str) -> None:
        self.url, self.problem = url, problem
        super().__init__(f"{mask_address(url)}: {problem}")


class FetchRefused(StoreError):
    """Not fetched: a private address, a forbidden scheme, robots.txt, a budget or a limit of size."""


class FetchFailed(StoreError):
    """No usable answer; `status` is the HTTP status where there was one.

    `retry_after` is the rest in seconds that the store asks for.
    """

    retryable = True

    def __init__(
        self, url: str, problem: str, *, status: int | None = None, retry_after: float | None = None
    ) -> None:
        self.status = status
        self.retry_after = retry_after
        super().__init__(url, problem)


class Throttled(FetchFailed):
    """The store asks for patience."""

    def __init__(self, url: str, *, status: int, retry_after: float | None) -> None:
        super().__init__(url, f"asks for patience (HTTP {status})", status=status, retry_after=retry_after)


class UnreadableAnswer(StoreError):
    """An answer came, but not one that this platform's protocol promises."""

    retryable = True
