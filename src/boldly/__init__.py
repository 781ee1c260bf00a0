"""Align a language model to preferences with the fewest labels."""
