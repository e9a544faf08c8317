"""Pieces of the interface that more than one page uses."""
