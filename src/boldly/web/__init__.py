"""The pages that people label on, and the server that answers them."""
