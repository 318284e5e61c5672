"""
gunicorn's settings for ``web_app.py``: several workers share one spool, and each flushes before it ends.

    gunicorn -c examples/gunicorn_conf.py 'examples.web_app:create_app()'

Nothing more is needed: a client made before the fork (``preload_app``) begins anew in each worker, and what a killed worker leaves in
the spool is delivered by the others.
"""

bind = "127.0.0.1:8000"
workers = 2
threads = 4
preload_app = True
# Longer than the client's exit_timeout (5 s), which its flush at the end of a worker may take.
graceful_timeout = 15
