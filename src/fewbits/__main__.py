"""`python -m fewbits`."""

from fewbits.cli.app import main

main()
