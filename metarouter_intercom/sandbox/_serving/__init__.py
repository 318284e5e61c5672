"""HTTP around the workspace: connections, requests and responses as bytes. It knows no endpoint."""
