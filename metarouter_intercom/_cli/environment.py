"""The environment variables that the command line reads, for ``--help`` and the reference."""

from __future__ import annotations

VARIABLES = {
    "INTERCOM_API_KEY": "access token of the workspace; INTERCOM_ACCESS_TOKEN is read too",
    "INTERCOM_APP_ID": "App/Source ID of the workspace that the key must open",
    "INTERCOM_REGION": "us, eu or au",
    "INTERCOM_BASE_URL": "address of a sandbox or proxy",
    "HTTPS_PROXY, NO_PROXY": "proxy for the requests, and hosts without one",
    "REQUESTS_CA_BUNDLE": "certificates to trust",
    "XDG_CONFIG_HOME": "folder of the stored connections; ~/.config by default",
    "XDG_STATE_HOME": "folder of what send needs to continue; ~/.local/state by default on Linux",
}
"""Name -> what it says."""
