import os
import tempfile

with tempfile.TemporaryDirectory() as folder:
    path = os.path.join(folder, "numbers.txt")
    with open(path, "w") as target:
        target.write("\n".join(str(n) for n in (3, 1, 2)))
    with open(path) as source:
        print(sorted(int(line) for line in source))
