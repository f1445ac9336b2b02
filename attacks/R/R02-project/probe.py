import os, sys

os.chdir("inner")
open(sys.argv[1], "w").write("changed")
