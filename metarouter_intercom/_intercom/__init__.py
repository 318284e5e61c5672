"""How one operation becomes requests to Intercom, and what the answers mean; pure, sends nothing itself."""
