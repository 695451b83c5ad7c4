"""`python -m deploy_under_test COMMAND …`"""

import sys

from luggage import commands

if __name__ == "__main__":
    sys.exit(commands.main(sys.argv, "deploy_under_test"))
