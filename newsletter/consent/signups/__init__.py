"""Sign-ups: the rows of posted forms, the queues in which they wait, and the links of confirmation letters."""
