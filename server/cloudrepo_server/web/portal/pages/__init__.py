"""The portal's pages: each module has one subject, and lists its pages and forms in `ROUTES`."""
