"""What users copy into their own projects."""
