"""One contract per kind of part, run over every part of the kind."""
