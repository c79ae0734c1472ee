"""Tests of who is who: the graph solver alone, and the compiled stitcher against a union-find."""
