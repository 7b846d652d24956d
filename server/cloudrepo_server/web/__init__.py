"""The HTTP interface: `app` has the routes and the middlewares, the folders have the handlers."""
