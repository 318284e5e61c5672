"""How one operation becomes requests to Intercom, and what the responses mean; pure: yields requests and sends none itself."""
