"""Issues: drafted, approved, and as readers see them."""
