import os
import stat

with open("out/tool.sh", "w") as target:
    target.write("#!/bin/sh\necho hi\n")
os.chmod("out/tool.sh", 0o700)
print(oct(stat.S_IMODE(os.stat("out/tool.sh").st_mode)))
