"""Figures: a module each, with a function from a snapshot to numbers and one from numbers to a picture."""
