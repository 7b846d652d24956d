"""Loads pytester, with which the plugin's own behaviour is tested."""

pytest_plugins = ["pytester"]
