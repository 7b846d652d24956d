"""Snapshots of other indexes: the releases that resolvers may need, without their files."""
