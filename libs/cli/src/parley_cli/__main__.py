"""`python -m parley_cli`, the same as `parley`."""

import sys

from parley_cli.main import main

sys.exit(main())
