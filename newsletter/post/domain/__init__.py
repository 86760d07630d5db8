"""What the DNS says about the domains that letters come from, and what it would have to say.

Records in, verdicts out: nothing here touches the database, and only `resolving` the network.
"""
