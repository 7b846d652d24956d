"""Wheels and sdists without a build."""
