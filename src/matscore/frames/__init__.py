"""pandas in, pandas out: the same plan, the same scores to the last bit, the same errors."""
