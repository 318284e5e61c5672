"""Q7, Q8: when another file takes the place of one with several workspaces, each keeps what is its own, whatever its number is there."""

from __future__ import annotations

import contextlib
import os
import sqlite3

import pytest

from metarouter_intercom._delivery.buffers.spool import SpoolBuffer
from metarouter_intercom._intercom.event_seconds import Slot

from .filling import drain, names, put, settle, take

_A, _B, _C = "a" * 16 + "1" * 16, "b" * 16 + "1" * 16, "c" * 16 + "1" * 16
_WORKSPACES = {_A: "w-1", _B: "w-2", _C: "w-3"}


def _open(path, credentials):
    spool = SpoolBuffer(
        path,
        limit=1000,
        dead_letters=100,
        credentials=credentials,
        mapping={"of": f'"{_WORKSPACES[credentials]}"'},
    )
    spool.workspaces().identify(_WORKSPACES[credentials], adopt=False)
    return spool


def _use(spool, credentials):
    """Let a workspace deliver a message, bury one, remember a value and a second, and accept a message that waits."""
    put(spool, "delivered")
    assert drain(spool, now=5.0) == ["delivered"]
    spool.bury({"messageId": f"dead in {_WORKSPACES[credentials]}"}, reason="test", now=3.0)
    spool.store().put("contact", "user:a", f"id in {_WORKSPACES[credentials]}")
    spool.event_seconds().assign([Slot(owner=1, place=11, name=5, second=100)], {})
    put(spool, "waiting", of=_WORKSPACES[credentials], now=6.0)
    spool.pending()


def _vanish(path, other, backup):
    for ending in ("", "-wal", "-shm"):
        path.with_name(path.name + ending).unlink(missing_ok=True)


def _swap(*credentials):
    def put_there(path, other, backup):
        SpoolBuffer(other, limit=10, dead_letters=10).close()
        for one in credentials:
            _open(other, one).close()
        os.replace(other, path)

    return put_there


def _restore(path, other, backup):
    os.replace(backup, path)


_DEEDS = {
    "vanished": _vanish,
    "the numbers swapped": _swap(_B, _A),
    "one workspace": _swap(_B),
    "another spool's": _swap(_C),
    "unused": _swap(),
    "an older backup": _restore,
}


@pytest.fixture
def spools(tmp_path):
    """Return the path, a backup of the file when it had one workspace, and credentials -> the spool of each of two workspaces."""
    path = tmp_path / "s.db"
    made = {_A: _open(path, _A)}
    made[_A].store().put("contact", "user:old", "kept")
    _backup(path, tmp_path / "backup")
    made[_B] = _open(path, _B)
    yield path, tmp_path / "backup", made
    for spool in made.values():
        spool.close()


def _backup(path, backup):
    with (
        contextlib.closing(sqlite3.connect(path)) as file,
        contextlib.closing(sqlite3.connect(backup)) as copy,
    ):
        file.backup(copy)


@pytest.mark.parametrize("deed", [deed for deed in _DEEDS if deed != "unused"])
def test_each_workspace_keeps_its_own(spools, tmp_path, deed):
    """Messages, delivered ids, dead letters, remembered values, seconds and mapping settings stay with their workspace."""
    path, backup, made = spools
    for credentials, spool in made.items():
        _use(spool, credentials)

    _DEEDS[deed](path, tmp_path / "other", backup)
    for spool in made.values():
        spool.pending()

    for credentials, spool in made.items():
        workspace = _WORKSPACES[credentials]
        put(spool, "delivered", now=7.0)
        claim = take(spool, now=8.0)
        assert [(one.message["messageId"], one.message["of"]) for one in claim.entries] == [
            ("waiting", workspace)
        ]
        settle(spool, claim, now=8.0)
        assert take(spool, now=9.0) is None
        assert spool.store().get("contact", "user:a") == f"id in {workspace}"
        assert spool.event_seconds().assign([Slot(2, 11, 5, 100)], {})[2].second == 101
        letter = next(one for one in spool.dead_letters() if one.message["messageId"].endswith(workspace))
        assert spool.workspaces().owner_of_letter(letter.id) == (True, workspace)
        assert spool.workspaces().mapping(letter.id) == {"of": f'"{workspace}"'}
        assert spool.workspaces().id() == workspace


@pytest.mark.parametrize("deed", _DEEDS)
def test_a_claim_goes_on_in_its_workspace(spools, tmp_path, deed):
    """What is being delivered meanwhile is still its workspace's, is settled there once, and a retry is not lost."""
    path, backup, made = spools
    claims = {}
    for credentials, spool in made.items():
        put(spool, "m-1")
        put(spool, "m-2")
        claims[credentials] = take(spool)

    _DEEDS[deed](path, tmp_path / "other", backup)
    for credentials, spool in made.items():
        spool.pending()
        assert spool.workspaces().owns(claims[credentials].lane)
        assert take(spool) is None
        settle(spool, claims[credentials], "retry", due_at=3.0)
        again = take(spool, now=4.0)
        assert names(again) == ["m-1", "m-2"]
        settle(spool, again, now=4.0)
    assert [spool.pending() for spool in made.values()] == [0, 0]


def test_values_between_two_files_are_not_mixed_up(spools, tmp_path):
    """As soon as another file is there, values and seconds are those of the client's workspace in it."""
    path, backup, made = spools
    _swap(_B, _A)(path, tmp_path / "other", backup)
    for spool in made.values():
        spool.pending()

    assert made[_B].workspaces().number == 0
    assert made[_A].workspaces().number == 1
