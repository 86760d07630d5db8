"""What delivery is measured with."""
