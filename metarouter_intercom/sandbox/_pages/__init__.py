"""The sandbox's pages: people, companies, requests and the rate budget, for a person to look at. They only read the workspace."""
