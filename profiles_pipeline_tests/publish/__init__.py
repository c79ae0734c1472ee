"""Publishing: what is written, what stops it, and what becomes of it at destinations."""
