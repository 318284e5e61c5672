"""
The main job on real input: captured messages of real SDKs into a local Intercom, and what stands there then.

    python examples/quickstart.py

The same as ``metarouter-intercom demo``. With ``INTERCOM_API_KEY`` set it sends to that workspace instead, after asking.
"""

import sys

from metarouter_intercom.cli import main

if __name__ == "__main__":
    sys.argv.insert(1, "demo")
    main()
