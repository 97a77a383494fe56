"""A report of a run: one page about a trial, or about two, from records and what is beside them."""
