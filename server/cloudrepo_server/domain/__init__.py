"""The rules of an organization and its repositories, independent of HTTP."""
