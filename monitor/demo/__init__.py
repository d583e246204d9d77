"""The demo: simulated APIs, the daemon and a verifying consumer on one screen."""
