"""The protocol of a runner: it reports that it is ready, then runs one round for each line that it reads."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any


def serve_rounds(run_round: Callable[[int], Any]) -> None:
    """For each number on standard input, write the result of ``run_round(number)`` as a line of JSON."""
    print(json.dumps("ready"), flush=True)
    for line in sys.stdin:
        print(json.dumps(run_round(int(line))), flush=True)
