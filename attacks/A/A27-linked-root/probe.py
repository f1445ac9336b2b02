import sys

open(f"{sys.argv[1]}/link/file", "w").write("changed")
