"""Chaos: real studies while processes are killed and stopped, files damaged, and the database locked.

``python -m tests.chaos --seed S --budget SECONDS`` runs all stages and says what it found.
"""
