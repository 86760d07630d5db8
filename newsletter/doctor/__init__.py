"""Doctor: proves that the rows agree, repairs what is derived, and checks the sender's domains."""
