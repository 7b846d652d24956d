"""The proxy that serves repositories under other hosts' URLs."""
