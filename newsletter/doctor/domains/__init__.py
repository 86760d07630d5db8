"""Check the DNS records of a sender's domains, and propose better ones.

Records in, verdicts out: only `dns` uses the network, and only `domain_checks` the database.
"""
