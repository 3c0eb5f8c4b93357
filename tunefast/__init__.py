"""tunefast: find the training recipe that reaches the accuracy you need soonest."""
