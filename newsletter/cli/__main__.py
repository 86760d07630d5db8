"""`python -m newsletter.cli` is the same command."""

from newsletter.cli.app import main

main()
