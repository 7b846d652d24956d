"""The JSON admin API and its OpenAPI document."""
