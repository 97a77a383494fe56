"""One trial: its training, its evaluation, its record, and the folder that holds them."""
