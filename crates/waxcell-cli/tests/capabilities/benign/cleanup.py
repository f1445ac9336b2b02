import os
import shutil

os.makedirs("out/work/deep", exist_ok=True)
for name in ("a", "b"):
    with open(f"out/work/deep/{name}.txt", "w") as target:
        target.write(name)
os.remove("out/work/deep/a.txt")
shutil.rmtree("out/work")
print(os.path.exists("out/work"))
