"""HTTP in, HTTP out: one handler module for each part of the interface."""
