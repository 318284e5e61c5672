"""One page of a long list. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

import attrs

Item = TypeVar("Item")
Shape = TypeVar("Shape")


@attrs.frozen(kw_only=True)
class Page(Generic[Item]):
    """
    Items of one page.

    Attributes:
        number: From 1.
        total: Items on all pages.
        pages: At least 1.
    """

    items: Sequence[Item]
    number: int
    total: int
    pages: int
    size: int

    @property
    def first(self) -> int:
        """The place in the whole list of the first item; 0 when there is none."""
        return (self.number - 1) * self.size + 1 if self.total else 0

    @property
    def last(self) -> int:
        """The place in the whole list of the last item."""
        return min(self.number * self.size, self.total)

    def showing(self, show: Callable[[Item], Shape]) -> Page[Shape]:
        """Return the same page with every item as *show* shows it."""
        return Page(
            items=[show(item) for item in self.items],
            number=self.number,
            total=self.total,
            pages=self.pages,
            size=self.size,
        )


def paged(items: Sequence[Item], wanted: int, size: int) -> Page[Item]:
    """Cut page *wanted* out of *items*; a page that is not there gives the nearest one."""
    pages = max(1, -(-len(items) // size))
    number = min(max(wanted, 1), pages)
    begin = (number - 1) * size
    return Page(items=items[begin : begin + size], number=number, total=len(items), pages=pages, size=size)
