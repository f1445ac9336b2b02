import os

with open("out/report-2.txt", "w") as target:
    target.write("two")
if os.path.lexists("out/latest.txt"):
    os.unlink("out/latest.txt")
os.symlink("report-2.txt", "out/latest.txt")
print(open("out/latest.txt").read())
