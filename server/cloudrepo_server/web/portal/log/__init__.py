"""The request log: its filters, its rows, its downloads and its live updates."""
