"""Who is owed which letter: confirmations, issues, probes."""
