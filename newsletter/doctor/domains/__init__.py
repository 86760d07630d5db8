"""What the DNS says about a sender's domains, and what it should say.

Records in, verdicts out: nothing here touches the database, and only `dns` uses the network.
"""
