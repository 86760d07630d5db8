"""Check the DNS records of a sender's domains, and propose better ones.

Records in, verdicts out: nothing here uses the database, and only `dns` uses the network.
"""
