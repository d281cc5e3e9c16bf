"""`python -m preroll.cli`: the same as `preroll`."""

from preroll.cli.app import main

if __name__ == "__main__":
    main()
