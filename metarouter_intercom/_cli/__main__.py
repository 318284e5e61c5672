"""``python -m metarouter_intercom._cli``: runs the command line without the installed script."""

from . import main

main()
