"""SMTP: how letters get to relays, as fast as the wire allows.

reader        bytes in, whole replies out
addresses     where a relay is reached, if not at its first address
opening       greeting, EHLO, STARTTLS, AUTH
trust         how a relay proves who it is
offers        what it says it can do
shut_out      why it does not let us in, in words
patience      how long we wait
envelope      MAIL and RCPT, with what the relay offers to be told
stuffing      a letter's bytes as the wire wants them
transactions  letters over one connection: bytes in, decisions out; no socket, no clock
connection    the socket that drives the two of them, and how long we wait
route         one relay: its connections, its pace, its trouble
rounds        one carry: what is pulled, what is reported, when it is over
postman       relays and a loop; the Postman itself
"""
