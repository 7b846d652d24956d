"""Health checks, metrics, the access log and the journals."""
