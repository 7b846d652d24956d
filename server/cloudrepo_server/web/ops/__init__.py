"""Health, metrics and the access log."""
