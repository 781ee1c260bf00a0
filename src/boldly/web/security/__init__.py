"""What stands before the routes of the page: small ASGI middlewares, each of which refuses one kind of request."""
