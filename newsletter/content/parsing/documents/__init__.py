"""From the bytes of a document to text that an XML parser can read."""
