"""tunefast's own pages beside optuna-dashboard: the studies, and what a report says of each, as they are now."""
