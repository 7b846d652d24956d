"""What installers and publishers use."""
