"""
Settings of gunicorn for ``web_app.py``: several workers share one spool, and each worker flushes before it ends.

    gunicorn -c examples/gunicorn_conf.py 'examples.web_app:create_app()'

You need no hooks. With ``preload_app`` the client is made before the fork, and each worker starts with empty memory and its own threads.
If a worker is killed, the others deliver what it left in the spool.
"""

bind = "127.0.0.1:8000"
workers = 2
threads = 4
preload_app = True
# A worker flushes for at most the client's exit_timeout (5 s) before it ends, so gunicorn must wait longer than that.
graceful_timeout = 15
