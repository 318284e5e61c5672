"""The child's side of a contest: says that it is ready, then does one round for each line that it reads."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any


def take_turns(play: Callable[[int], Any]) -> None:
    """Answer each number on standard input by what ``play(number)`` returns, as a line of JSON."""
    print(json.dumps("ready"), flush=True)
    for line in sys.stdin:
        print(json.dumps(play(int(line))), flush=True)
