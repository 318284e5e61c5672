"""Moves messages that waited under other credentials to the client's workspace (rule Q7); knows lanes and journals, nothing of Intercom."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .database import Database
    from .ingest import Ingester
    from .workspaces import SpoolWorkspaces


def move_messages(
    database: Database, ingester: Ingester, workspaces: SpoolWorkspaces, *, at_once: int
) -> bool:
    """Move what ``identify`` found, *at_once* messages in a transaction; True when something was moved. The caller holds the lock."""
    moves, number = workspaces.moves, workspaces.number
    if not moves or number is None:
        return False
    for move in moves:
        is_more = True
        while is_more:
            with database.transaction():
                is_more = ingester.move(move, number, at_once)
                is_left = ingester.has_left(move)
        if not is_left:
            workspaces.end_move(move)
    return True
