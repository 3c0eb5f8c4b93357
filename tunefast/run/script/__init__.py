"""Trials that are programs of the user's own: started, listened to, and ended."""
