"""`python -m strongroom` is the command line."""

from strongroom.cli import main

main()
