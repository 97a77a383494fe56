"""`python -m ssl_bench.cli`: the command line without its script."""

from ssl_bench.cli import main

main()
