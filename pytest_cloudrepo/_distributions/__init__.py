"""Wheels and sdists, written without running a build."""
