"""Looks at the sandbox's pages without a browser: asks the Flask application and reads the answer's elements."""

from __future__ import annotations

from collections.abc import Iterator
from html.parser import HTMLParser

from metarouter_intercom.sandbox.service import Service
from metarouter_intercom.sandbox.web import create_app

from .api_calls import Api

_EMPTY = frozenset({"meta", "link", "input", "br", "img", "hr"})


class Element:
    """One element with its attributes, children and text."""

    def __init__(self, tag: str, attributes: dict[str, str | None]) -> None:
        self.tag = tag
        self.attributes = attributes
        self.children: list[Element | str] = []

    def __getitem__(self, name: str) -> str | None:
        return self.attributes.get(name)

    def walk(self) -> Iterator[Element]:
        """Go through this element and all below it."""
        yield self
        for child in self.children:
            if isinstance(child, Element):
                yield from child.walk()

    def all(self, tag: str, **wanted: str) -> list[Element]:
        """Return the elements of that tag below; ``class_`` asks for one of the classes, other names for attributes."""
        named = wanted.pop("class_", None)
        return [
            one
            for one in self.walk()
            if one.tag == tag
            and (named is None or named in (one["class"] or "").split())
            and all(one[name.replace("_", "-")] == value for name, value in wanted.items())
        ]

    def first(self, tag: str, **wanted: str) -> Element:
        """Return the first of ``all``."""
        return self.all(tag, **wanted)[0]

    @property
    def text(self) -> str:
        """What a person reads, blanks drawn together."""
        parts = [child if isinstance(child, str) else child.text for child in self.children]
        return " ".join("".join(f"{part} " if part else "" for part in parts).split())


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.root = Element("document", {})
        self._open = [self.root]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        made = Element(tag, dict(attrs))
        self._open[-1].children.append(made)
        if tag not in _EMPTY:
            self._open.append(made)

    def handle_endtag(self, tag: str) -> None:
        closed = self._open.pop()
        assert closed.tag == tag, f"<{closed.tag}> was closed by </{tag}>"

    def handle_data(self, data: str) -> None:
        self._open[-1].children.append(data)


def read_html(text: str) -> Element:
    """Read a page; an element that is not closed well fails the test."""
    reader = _Reader()
    reader.feed(text)
    reader.close()
    return reader.root


class Pages(Api):
    """A workspace and its pages."""

    def __init__(self, **choices: object) -> None:
        super().__init__(**choices)
        self.service = Service(self.workspace)
        self.client = create_app(self.service).test_client()

    def look(self, path: str, status: int = 200) -> Element:
        """Return the page at *path*."""
        answer = self.client.get(path)
        assert answer.status_code == status
        return read_html(answer.text)

    def names(self, path: str) -> list[str]:
        """Return the names in the list at *path*, from the top."""
        return [link.text for link in self.look(path).all("a", class_="whole")]

    def facts(self, path: str) -> dict[str, str]:
        """Return the named values on the page at *path*."""
        return {
            pair.first("dt").text: pair.first("dd").text
            for listed in self.look(path).all("dl")
            for pair in listed.all("div")
            if pair.all("dt")
        }
