"""Write the letters that readers are owed: confirmations, issues and probes."""
