"""`python -m config.embedded` starts everything; with the word psql it opens the database."""

import sys

from config.embedded import launcher, psql

if sys.argv[1:2] == ["psql"]:
    psql.main(sys.argv[2:])
sys.exit(launcher.main())
