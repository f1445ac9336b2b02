"""By the dictionaries in which names are kept."""

import sys

vars(sys.modules["o" + "s"])["metsys"[::-1]]("echo escaped > data/file")
