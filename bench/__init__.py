"""Measurements: ``make bench BENCH=name`` prints a table and writes ``var/bench/<name>.json``."""
