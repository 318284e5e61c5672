"""
Send captured messages of real SDKs to a local Intercom, then show the people, companies and events in it.

    python examples/quickstart.py

This runs ``metarouter-intercom demo``. If ``INTERCOM_API_KEY`` is set, it sends to that workspace instead, after asking you.
"""

import sys
from importlib.metadata import entry_points

if __name__ == "__main__":
    (command,) = entry_points(group="console_scripts", name="metarouter-intercom")
    sys.argv.insert(1, "demo")
    command.load()()
