"""What one training run can be told. Reading it loads no torch."""
