"""Trusted publishing: discovery, audience, token minting, and the provider of identity tokens."""
