"""Who runs the place: operators and admins, and taking their rights away."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, func, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from aggregator.accounts.roles import STAFF_ROLES, Role
from aggregator.accounts.sessions import sign_out_everywhere
from aggregator.accounts.sign_in import invite
from aggregator.db import audit
from aggregator.db.models import AccountRoleRow, AccountRow, AccountSessionRow
from aggregator.domain.errors import Conflict, InvalidInput, NotFound

# Any constant will do: two admins who remove each other at once must not both succeed.
_STAFF_CHANGES = 0x436C_5374


@dataclass(frozen=True, slots=True, kw_only=True)
class StaffMember:
    """One operator or admin; `last_signed_in_at` is None for an invitation that was never used."""

    id: str
    email: str
    roles: tuple[str, ...]
    invited_at: datetime
    last_signed_in_at: datetime | None


def list_staff(session: Session) -> list[StaffMember]:
    """Every operator and admin, by address."""
    signed_in = (
        select(func.max(AccountSessionRow.created_at))
        .where(AccountSessionRow.account_id == AccountRow.id)
        .scalar_subquery()
    )
    found = session.execute(
        select(
            AccountRow.public_id,
            AccountRow.email,
            AccountRow.created_at,
            func.array_agg(AccountRoleRow.role).label("roles"),
            signed_in.label("signed_in"),
        )
        .join(AccountRoleRow, AccountRoleRow.account_id == AccountRow.id)
        .where(AccountRoleRow.role.in_(STAFF_ROLES))
        .group_by(AccountRow.id)
    )
    return sorted(
        (
            StaffMember(
                id=row.public_id,
                email=row.email,
                roles=tuple(sorted(row.roles)),
                invited_at=row.created_at,
                last_signed_in_at=row.signed_in,
            )
            for row in found
        ),
        key=lambda member: member.email,
    )


def add_staff(session: Session, email: str, role: Role, *, account_id: int | None = None) -> str | None:
    """Give somebody an operator's or admin's rights; the token of a sign-in link for whoever has never signed in.

    Someone who has an account already keeps his own way in: a link to it would be a key to his account. Raises
    InvalidInput for an unusable address or role.
    """
    if role not in STAFF_ROLES:
        raise InvalidInput(f"{role!r} runs nothing here", place="role", remedy="operator or admin")
    known = session.execute(
        select(AccountRow.id, AccountRow.public_id).where(
            AccountRow.email == email.strip().lower(), AccountRow.activated_at.is_not(None)
        )
    ).one_or_none()
    if known is None:
        return invite(session, email, role, by=account_id)
    session.execute(insert(AccountRoleRow).values(account_id=known.id, role=role).on_conflict_do_nothing())
    audit.record(session, account_id, "account.role_given", known.public_id, role=role)
    return None


def take_role(session: Session, person_id: str, *, account_id: int | None = None) -> None:
    """Take operator's and admin's rights from an account and end its sessions.

    Raises NotFound, and Conflict where nobody else would be an admin then, if there is one now.
    """
    session.execute(text("select pg_advisory_xact_lock(:key)"), {"key": _STAFF_CHANGES})
    found = session.execute(
        select(AccountRow.id, func.array_agg(AccountRoleRow.role))
        .join(AccountRoleRow, AccountRoleRow.account_id == AccountRow.id)
        .where(AccountRow.public_id == person_id, AccountRoleRow.role.in_(STAFF_ROLES))
        .group_by(AccountRow.id)
    ).one_or_none()
    if found is None:
        raise NotFound("operator", person_id)
    member_id, roles = found
    others = select(func.count()).where(
        AccountRoleRow.role == "admin", AccountRoleRow.account_id != member_id
    )
    if "admin" in roles and not session.scalar(others):
        raise Conflict("this is the only admin; make somebody else one first")
    session.execute(
        delete(AccountRoleRow).where(
            AccountRoleRow.account_id == member_id, AccountRoleRow.role.in_(STAFF_ROLES)
        )
    )
    audit.record(session, account_id, "account.role_taken", person_id, roles=", ".join(sorted(roles)))
    sign_out_everywhere(session, member_id)
