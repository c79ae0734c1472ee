"""Small tree rewrites, grouped by subject. Each module lists its rows; `sql.meaning` applies them."""
