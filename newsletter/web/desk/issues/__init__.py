"""Issues at the desk: listed, previewed, approved, and followed while they are sent."""
