"""Networks from modules."""
