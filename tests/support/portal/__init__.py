"""What the portal's tests stand on."""
