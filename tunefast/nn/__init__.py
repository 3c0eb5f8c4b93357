"""Torch modules that torch lacks, or that have to draw randomness by key. Imports torch only."""
