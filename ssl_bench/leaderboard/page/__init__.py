"""The board as one page that opens from disk: data as compact JSON, and the scripts that show them."""
