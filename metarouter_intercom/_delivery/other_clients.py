"""How many other clients draw on the same budget (rule T4), from how much faster it falls than our own answers arrive; pure."""

from __future__ import annotations

# As long as nothing is known, so many other clients may be there.
_UNKNOWN = 3.5
# Another client may begin at any time, so at the end of a budget the requests on their way become fewer for a lone client too.
_NEWCOMERS = 0.25
# Of a budget below this nothing is left for clients that may not be there.
_SMALL = 33
_LARGE = 200
# After so many answers, and the answers then on their way, the speed at which the budget falls shows the others. A whole window
# shows them with fewer.
_ENOUGH_ANSWERS = 6
_ENOUGH_AT_THE_END = 3
_MOST = 64.0
# Of the most that was seen so much is believed whatever the last look shows.
_BURSTS = 0.7


class OtherClients:
    """
    Estimates the other clients, as a multiple of this one's requests; not thread-safe.

    Answers overtake each other. So a look at the budget is used when all requests that were on their way then are answered: those with
    a higher number were counted before, and only the rest of the difference to the look before is of others.

    Attributes:
        number: How many there are, or may be while nothing is known. More are believed at once, fewer only half at a time, because the
            requests of one client come in bursts and hide the others.
    """

    def __init__(self) -> None:
        self.number = _UNKNOWN
        # The most that looks have shown: in this window, and in all, where each window that shows fewer takes half of the difference.
        self._most: float | None = None
        self._seen: float | None = None
        self._begin()

    def _begin(self) -> None:
        # What the look before found, our requests since, and the newest number.
        self._base: int | None = None
        self._ours = 0
        self._lowest = 0
        self._is_first = True
        # The look: the number then, our later requests, and how many answers to wait for.
        self._look: int | None = None
        self._later = 0
        self._awaited = 0

    def to_leave(self, limit: int) -> int:
        """Return for how many to leave the last of a budget of *limit*: while nothing is known, nothing of a small one."""
        if self._seen is None:
            return min(int(_UNKNOWN), limit // _SMALL)
        # The 0.9 rounds up what is more than noise. Of a large budget, half as much again costs nothing.
        return min(int(1.5 * self._seen + 0.9), int(self._seen + 0.9) + limit // _LARGE)

    def observe(self, remaining: int, *, in_flight: int) -> None:
        """Note an answer of this window and how many requests are still on their way."""
        if self._base is None:
            self._base = self._lowest = remaining
            return
        if self._is_first:
            self._base = max(self._base, remaining)
        self._lowest = min(self._lowest, remaining)
        if self._look is None:
            self._ours += 1
            if self._ours >= _ENOUGH_ANSWERS:
                self._look, self._later, self._awaited = self._lowest, 0, in_flight
        elif remaining > self._look:
            self._ours += 1
            self._awaited -= 1
        else:
            self._later += 1
            self._awaited -= 1
        if self._look is not None and self._awaited <= 0:
            self._conclude(self._base, self._look)

    def _conclude(self, base: int, look: int) -> None:
        self._note(base - look)
        self._base, self._look, self._ours, self._is_first = look, None, self._later, False

    def _note(self, used: int) -> None:
        seen = min(_MOST, max(0, used - self._ours) / self._ours)
        self._most = seen if self._most is None else max(seen, self._most)
        self._seen = self._most if self._seen is None else max(self._seen, self._most)
        self.number = max(seen, _NEWCOMERS, _BURSTS * self._seen, 0.5 * (self.number + seen))

    def end_window(self) -> None:
        """Begin again with the next window's numbers; its last answers count as well."""
        if self._base is not None and self._ours >= _ENOUGH_AT_THE_END:
            self._note(self._base - (self._lowest if self._look is None else self._look))
        if self._seen is not None and self._most is not None:
            self._seen = 0.5 * (self._seen + self._most)
        self._most = None
        self._begin()
