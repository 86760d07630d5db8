"""The sign-up box of a newsletter at the desk: its sites, its words, the lines to paste, and how many sign up."""
