"""Answer sign-ups with confirmation letters, a set of them in one transaction.

processing     claims sets, voids what they replace, retries after a conflict, finds the sign-up that makes a set fail
answering      one set: reads, decides and writes
known          what the database holds about the people of a set
rules          whether a sign-up is owed a letter, decided one by one in the order of the claim
texts          the laid-out letter, and the text that it is stored as
writing        the rows of the letters that are owed
"""
