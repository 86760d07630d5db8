"""The pages of visitors and subscribers."""
