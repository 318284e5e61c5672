"""
Send captured messages of real SDKs to a local Intercom, then show the people, companies and events in it.

    python examples/quickstart.py

This is the same as ``metarouter-intercom demo``. If ``INTERCOM_API_KEY`` is set, it sends to that workspace instead, after asking you.
"""

import sys

from metarouter_intercom._cli import main

if __name__ == "__main__":
    sys.argv.insert(1, "demo")
    main()
