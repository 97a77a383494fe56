"""The training room: a config's program, the loop that runs it, and what it saves."""
