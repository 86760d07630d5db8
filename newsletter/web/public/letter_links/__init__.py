"""The pages behind the links of letters, and those that mail such a link."""
