"""What the user asked for, and what travels between processes: plain, checked data."""
