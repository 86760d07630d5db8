"""The pages for visitors and subscribers."""
