"""Tests of the package as a whole: what may import what, and how it is installed."""
