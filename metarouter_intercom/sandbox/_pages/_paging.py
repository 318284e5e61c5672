"""One page of a long list. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

import attrs

Item = TypeVar("Item")
Other = TypeVar("Other")


@attrs.frozen(kw_only=True)
class Page(Generic[Item]):
    """
    The items of one page.

    Attributes:
        number: The page's number, from 1.
        total: The number of items on all pages.
        pages: The number of pages, at least 1.
        size: The most items on one page.
    """

    items: Sequence[Item]
    number: int
    total: int
    pages: int
    size: int

    @property
    def first(self) -> int:
        """The position of the first item in the whole list, from 1; 0 when there is none."""
        return (self.number - 1) * self.size + 1 if self.total else 0

    @property
    def last(self) -> int:
        """The position of the last item in the whole list, from 1; 0 when there is none."""
        return min(self.number * self.size, self.total)

    def map(self, convert: Callable[[Item], Other]) -> Page[Other]:
        """Return the same page with each item converted."""
        return Page(
            items=[convert(item) for item in self.items],
            number=self.number,
            total=self.total,
            pages=self.pages,
            size=self.size,
        )


def make_page(items: Sequence[Item], number: int, size: int) -> Page[Item]:
    """Return page *number* of *items*, from 1; a number out of range gives the nearest page."""
    pages = max(1, -(-len(items) // size))
    number = min(max(number, 1), pages)
    begin = (number - 1) * size
    return Page(items=items[begin : begin + size], number=number, total=len(items), pages=pages, size=size)
