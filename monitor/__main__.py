"""Run `python -m monitor`."""

from monitor.cli.main import main

if __name__ == "__main__":  # the process that reads large answers imports it, too
    main()
