"""Writing the board: the page, the short README, the terminal, figures and CSV files."""
