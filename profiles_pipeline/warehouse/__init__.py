"""Warehouses: the only place where SQL leaves the process. Importing this package imports no driver."""
