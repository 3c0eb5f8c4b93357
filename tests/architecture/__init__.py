"""What holds for the whole tree: what it loads, what users see of it."""
