"""The sandbox's pages in the browser: people, companies, requests and the rate budget. They read the workspace and never change it."""
