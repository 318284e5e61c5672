"""``send`` in processes of its own, ended by Ctrl-C and by ``kill -9``; see ``run_large_send.py`` for the same at full size."""

from __future__ import annotations

import sys

import pytest

from .run_large_send import send_interrupted


@pytest.mark.skipif(sys.platform != "linux", reason="looks at the process's memory as Linux shows it")
def test_interrupted_and_killed_runs_leave_nothing_out_and_nothing_twice(tmp_path):
    """After Ctrl-C and kill -9 the workspace is complete, nothing is doubled, the bar was right and the memory flat."""
    _, wrong = send_interrupted(tmp_path, 2_000)

    assert wrong == []
