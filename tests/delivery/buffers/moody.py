"""A spool that fails on demand."""

from __future__ import annotations

from metarouter_intercom.errors import SpoolFailed


class Moody:
    """A real spool, of which the steps named in *failing* fail."""

    def __init__(self, spool):
        self.spool = spool
        self.failing = frozenset()
        self.is_passing = False
        self.is_full = False

    def _check(self, step):
        if step in self.failing:
            raise SpoolFailed(f"spool: {step} failed", is_passing=self.is_passing, is_full=self.is_full)

    def accept(self, message, **arguments):
        self._check("accept")
        return self.spool.accept(message, **arguments)

    def claim(self, **arguments):
        self._check("claim")
        return self.spool.claim(**arguments)

    def settle(self, claim, settlements, **arguments):
        self._check("settle")
        self.spool.settle(claim, settlements, **arguments)

    def renew(self, claim, **arguments):
        self._check("renew")
        return self.spool.renew(claim, **arguments)

    def bury(self, message, **arguments):
        self._check("bury")
        self.spool.bury(message, **arguments)

    def after_fork(self):
        self._check("after_fork")
        self.spool.after_fork()

    def store(self):
        return None if "no store" in self.failing else _MoodyStore(self)

    def __getattr__(self, name):
        if name in ("mark", "has_pending", "pending", "oldest_accepted_at", "next_due_at", "make_due"):
            self._check("look")
        return getattr(self.spool, name)


class _MoodyStore:
    def __init__(self, owner):
        self._owner = owner

    def __getattr__(self, name):
        self._owner._check("store")
        return getattr(self._owner.spool.store(), name)
