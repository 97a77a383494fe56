"""A package that adds to ssl_bench from outside; the tests install it."""
