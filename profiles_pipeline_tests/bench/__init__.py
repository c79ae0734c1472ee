"""Measures the engine against what it must not be much slower than: a script written by hand, scipy, one query per var.

    python -m profiles_pipeline_tests.bench [--events 10000000] [--runs 3] [--data DIR] [--json FILE]

Every measurement is a process of its own, started cold; medians over the runs, taken in turns, so that a busy
machine slows all of them alike. CPU seconds are the figures to trust on a machine that does other things as well.
"""
