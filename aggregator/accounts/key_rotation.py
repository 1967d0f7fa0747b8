"""Sealing people's data anew under today's key."""

from __future__ import annotations

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from aggregator.db.models import AccountAddressRow, AccountChallengeRow, AccountRow
from aggregator.secrets import PersonalSecrets
from aggregator.settings import Settings


def reseal_personal_data(session: Session, settings: Settings) -> int:
    """Seal all that people told us with today's key; how many values.

    Raises EnvironmentProblem where one cannot be opened.
    """
    secrets = PersonalSecrets.from_settings(settings)
    count = 0
    for address in session.execute(select(AccountAddressRow.id, AccountAddressRow.content_sealed)):
        resealed = secrets.seal(secrets.open(address.content_sealed))
        session.execute(
            update(AccountAddressRow)
            .where(AccountAddressRow.id == address.id)
            .values(content_sealed=resealed)
        )
        count += 1
    sealed = AccountRow.phone_sealed.is_not(None) | AccountRow.totp_sealed.is_not(None)
    accounts = session.execute(
        select(AccountRow.id, AccountRow.phone_sealed, AccountRow.totp_sealed).where(sealed)
    )
    for account in accounts:
        values: dict[str, str | bytes] = {}
        if account.phone_sealed:
            number = secrets.open(account.phone_sealed)
            values |= {"phone_sealed": secrets.seal(number), "phone_hash": secrets.index(number)}
        if account.totp_sealed:
            values["totp_sealed"] = secrets.seal(secrets.open(account.totp_sealed))
        session.execute(update(AccountRow).where(AccountRow.id == account.id).values(**values))
        count += 1
    # Ten minutes old at most, and asked for again sooner than sealed anew.
    session.execute(update(AccountChallengeRow).values(phone_sealed=None))
    return count
