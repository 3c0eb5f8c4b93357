"""Real processes, real files."""
