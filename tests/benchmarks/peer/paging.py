"""Pages by key, as the contract has them: `next` and `previous` carry where the page ended."""

import base64
from collections.abc import Sequence
from typing import Any

import orjson
from fastapi import HTTPException, Request
from sqlalchemy import Select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

Position = list[Any]


def encode(position: Position) -> str:
    return base64.urlsafe_b64encode(orjson.dumps(position)).decode().rstrip("=")


def decode(cursor: str) -> Position:
    try:
        position = orjson.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except ValueError as error:
        raise HTTPException(400, "This cursor is not one of this list.") from error
    return list(position)


async def page(
    session: AsyncSession, query: "Select[Any]", columns: Sequence[Any], cursor: Position | None, size: int
) -> tuple[Sequence[Any], bool]:
    """One page of `query` in the order of `columns`, and whether there is more behind it."""
    if cursor is not None:
        query = query.where(tuple_(*columns) > tuple_(*cursor))
    found = await session.scalars(query.order_by(*columns).limit(size + 1))
    rows = found.all()
    return rows[:size], len(rows) > size


def links(request: Request, *, first: Position | None, last: Position | None) -> dict[str, str | None]:
    """`first` and `last` are the ends of the page, or None where nothing lies beyond."""
    return {
        "next": str(request.url.include_query_params(cursor=encode(last))) if last else None,
        "previous": str(request.url.include_query_params(cursor=encode(first))) if first else None,
    }
