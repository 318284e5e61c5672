"""Named connections in a file that its owner alone may read; knows no network."""

from __future__ import annotations

import json
import os
from pathlib import Path

from .._types import JsonObject
from .exit_codes import ExitCode, Failed

_FIELDS = ("api_key", "app_id", "region", "base_url")


def path_of_store() -> Path:
    """Return where connections are stored: ``$XDG_CONFIG_HOME`` (else ``~/.config``) ``/metarouter-intercom/connections.json``."""
    root = os.environ.get("XDG_CONFIG_HOME")
    return (Path(root) if root else Path.home() / ".config") / "metarouter-intercom" / "connections.json"


def read_connections() -> dict[str, JsonObject]:
    """Return name -> settings; an empty dictionary when nothing was stored yet."""
    path = path_of_store()
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except ValueError:
        raise Failed(
            f"{path}: not readable as JSON; mend it, or delete it and connect anew", ExitCode.FILE
        ) from None
    if not isinstance(found, dict):
        raise Failed(f"{path}: not an object; delete it and connect anew", ExitCode.FILE)
    return {name: _known(facts) for name, facts in found.items() if isinstance(facts, dict)}


def write_connection(name: str, facts: JsonObject) -> Path:
    """Store *facts* as *name* in place of an older one; the file is never readable for others, not for a moment."""
    path = path_of_store()
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.parent.chmod(0o700)
    connections = read_connections() | {name: _known(facts)}
    fresh = path.with_suffix(".new")
    fresh.unlink(missing_ok=True)
    with os.fdopen(
        os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8"
    ) as file:
        json.dump(connections, file, indent=1)
    fresh.replace(path)
    return path


def _known(facts: JsonObject) -> JsonObject:
    return {field: facts[field] for field in _FIELDS if facts.get(field) is not None}
