"""Impersonation: a proxy that serves repositories under the URLs of other hosts."""
