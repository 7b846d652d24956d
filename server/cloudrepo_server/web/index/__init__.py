"""The package indexes that installers read and publishers upload to."""
