"""Looks through the built site: no page fetches anything from another host."""

import sys
from html.parser import HTMLParser
from pathlib import Path

# Tags whose address a browser fetches without being asked, and where the address stands.
_FETCHED = {
    "img": "src",
    "script": "src",
    "iframe": "src",
    "link": "href",
    "source": "src",
    "audio": "src",
    "video": "src",
}
# Links that name a page and load nothing.
_NAMES_ONLY = {"canonical", "author", "help", "index", "search", "next", "prev", "license"}


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.foreign: list[str] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        facts = dict(attributes)
        address = facts.get(_FETCHED.get(tag, "")) or ""
        if tag == "link" and facts.get("rel") in _NAMES_ONLY:
            return
        if address.startswith(("http:", "https:", "//")):
            self.foreign.append(address)


def main(site: Path) -> int:
    """Read every page and style sheet; returns the exit code."""
    faults = []
    pages = sorted(site.rglob("*.html"))
    for page in pages:
        reader = _Reader()
        reader.feed(page.read_text(encoding="utf-8"))
        faults += [f"{page.relative_to(site)}: {address}" for address in reader.foreign]
    for sheet in sorted(site.rglob("*.css")):
        text = sheet.read_text(encoding="utf-8")
        faults += [
            f"{sheet.relative_to(site)}: {word}"
            for word in ("url(http", "url(//", 'url("http', "@import")
            if word in text
        ]
    print("\n".join(faults) or f"{len(pages)} pages, nothing is fetched from another host")
    return 1 if faults or not pages else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
