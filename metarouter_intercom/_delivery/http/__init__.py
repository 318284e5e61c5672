"""Sends one request and returns one response, or says that there is none; the only user of requests and urllib3."""
