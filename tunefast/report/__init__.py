"""Reports: a study as a page of words and figures, drawn from a snapshot; numbers apart from drawing."""
