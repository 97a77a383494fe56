"""Other losses of the labeled images: against wrong labels, and against classes of unequal size."""
