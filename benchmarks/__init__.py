"""Side-by-side comparisons with peers; each file answers one question."""
