"""HTTP for the sandbox: listening, requests and responses as bytes, and running WSGI applications. It knows no endpoint."""
