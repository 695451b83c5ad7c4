"""`python -m soak_deploy COMMAND …`"""

from luggage import bootstrap

if __name__ == "__main__":
    bootstrap.ensure()
    import sys

    from luggage import commands

    sys.exit(commands.main(sys.argv, __package__))
