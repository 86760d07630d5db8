"""Sign-up forms on our own pages and on other sites: showing them, taking what they post, and the answer."""
