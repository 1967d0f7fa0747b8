"""What every table shares."""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar

from sqlalchemy import BigInteger, DateTime, Identity, MetaData, Text, func
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from aggregator.domain.identifiers import new_public_id


class Row(DeclarativeBase):
    """Base of all tables; text is TEXT, instants are UTC, JSON is JSONB."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map: ClassVar[dict[Any, Any]] = {
        str: Text,
        int: BigInteger,
        datetime: DateTime(timezone=True),
        dict[str, Any]: JSONB,
        list[Any]: JSONB,
        list[int]: ARRAY(BigInteger),
        list[str]: ARRAY(Text),
    }


class Serial:
    """A row with an inner serial key, which never leaves the program."""

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)


class Public(Serial):
    """A row that interfaces may name: it has an opaque public id beside the serial."""

    public_id: Mapped[str] = mapped_column(unique=True, default=new_public_id)


class Created:
    """A row that knows when it was made."""

    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
