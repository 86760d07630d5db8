"""The SMTP client: sends messages to relays over pipelined connections.

reply_reader     splits the received bytes into whole replies
endpoints        connects to the first of a relay's addresses that answers
handshake        greeting, EHLO, STARTTLS, AUTH
credentials      the relay's user and password, removed from its replies
tls              how a relay proves its identity
extensions       what a relay offers in its reply to EHLO
unavailable      why a relay cannot be used, for an operator
timeouts         how long to wait for each reply
envelope         the commands MAIL, RCPT and DATA of a message
dot_stuffing     a letter's bytes as they are sent
command_queue    commands that wait to be sent, and the replies that are awaited
transactions     the messages over one connection: bytes in, outcomes out; no socket, no clock
connection       the socket that runs a handshake and then transactions, with their timeouts
relay_health     whether a relay can be used, and when to try it again
route            one relay: its connections, its pace, its share of the messages
send_session     one call of `send`: the messages taken, the results reported, its end
smtp_transport   the Transport: several relays and one event loop
"""
