"""The processes: one coordinator of a database, hosts that lend slots to it, workers that train on them."""
