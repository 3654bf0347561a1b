"""What was researched beside the product, with its tables; not installed."""
