"""Named connections in a file that only its owner can read; knows nothing of the network."""

from __future__ import annotations

import json
import os
from pathlib import Path

from .._types import JsonObject
from .exit_codes import ExitCode, Failed

_FIELDS = ("api_key", "app_id", "region", "base_url", "api_version")


def connections_path() -> Path:
    """Return the path of the file: ``metarouter-intercom/connections.json`` in ``$XDG_CONFIG_HOME``, or in ``~/.config``."""
    root = os.environ.get("XDG_CONFIG_HOME")
    return (Path(root) if root else Path.home() / ".config") / "metarouter-intercom" / "connections.json"


def read_connections() -> dict[str, JsonObject]:
    """Return name -> settings; an empty dictionary if nothing was stored yet."""
    path = connections_path()
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except ValueError:
        raise Failed(
            f"{path}: not valid JSON; fix it, or delete it and run connect again", ExitCode.FILE
        ) from None
    if not isinstance(content, dict):
        raise Failed(f"{path}: not a JSON object; delete it and run connect again", ExitCode.FILE)
    return {name: _known(options) for name, options in content.items() if isinstance(options, dict)}


def write_connection(name: str, options: JsonObject) -> Path:
    """Store *options* as *name*, replacing an older connection of that name; at no moment can others read the file."""
    path = connections_path()
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.parent.chmod(0o700)
    connections = read_connections() | {name: _known(options)}
    new = path.with_suffix(".new")
    new.unlink(missing_ok=True)
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        json.dump(connections, file, indent=1)
    new.replace(path)
    return path


def _known(options: JsonObject) -> JsonObject:
    return {field: options[field] for field in _FIELDS if options.get(field) is not None}
