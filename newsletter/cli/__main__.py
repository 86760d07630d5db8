"""Run the `newsletter` command as `python -m newsletter.cli`."""

from newsletter.cli.app import main

main()
