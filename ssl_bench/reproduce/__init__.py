"""Published tables: what each row says, the trials that measure it here, and the two side by side."""
