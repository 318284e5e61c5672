"""Reads the sandbox's pages without a browser: gets them from the Flask application and parses their elements."""

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
        """Yield this element and all elements in it."""
        yield self
        for child in self.children:
            if isinstance(child, Element):
                yield from child.walk()

    def all(self, tag: str, **attributes: str) -> list[Element]:
        """Return the elements with that tag and these attributes; ``class_`` is one of the classes."""
        class_name = attributes.pop("class_", None)
        return [
            element
            for element in self.walk()
            if element.tag == tag
            and (class_name is None or class_name in (element["class"] or "").split())
            and all(element[name.replace("_", "-")] == value for name, value in attributes.items())
        ]

    def first(self, tag: str, **attributes: str) -> Element:
        """Return the first of ``all``."""
        return self.all(tag, **attributes)[0]

    @property
    def text(self) -> str:
        """The text that a person reads, with single spaces."""
        parts = [child if isinstance(child, str) else child.text for child in self.children]
        return " ".join("".join(f"{part} " if part else "" for part in parts).split())


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.root = Element("document", {})
        self._open = [self.root]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = Element(tag, dict(attrs))
        self._open[-1].children.append(element)
        if tag not in _EMPTY:
            self._open.append(element)

    def handle_endtag(self, tag: str) -> None:
        element = self._open.pop()
        assert element.tag == tag, f"<{element.tag}> was closed by </{tag}>"

    def handle_data(self, data: str) -> None:
        self._open[-1].children.append(data)


def read_html(text: str) -> Element:
    """Parse a page; an element that is not closed properly fails the test."""
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
        """Return the names in the list at *path*, in order."""
        return [link.text for link in self.look(path).all("a", class_="whole")]

    def named_values(self, path: str) -> dict[str, str]:
        """Return the named values on the page at *path*."""
        return {
            pair.first("dt").text: pair.first("dd").text
            for listed in self.look(path).all("dl")
            for pair in listed.all("div")
            if pair.all("dt")
        }
