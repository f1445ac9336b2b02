"""Python takes each name for its NFKC form."""

import os as s

s.ｓystem("echo escaped > data/file")
