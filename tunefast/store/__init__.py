"""The database: Optuna's own tables, tunefast's beside them, and who may write them."""
