"""How a message is handed over: the Transport protocol, the outbox and SMTP."""
