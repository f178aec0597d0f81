"""`python -m fewbits.cli`."""

from fewbits.cli.app import main

main()
