"""The law: whatever happened before, a run gives what one full rebuild at the same end_time gives, cell by cell."""
