import shutil
from pathlib import Path

target = Path("out/copy")
if target.exists():
    shutil.rmtree(target)
shutil.copytree("data/notes", target)
print(sorted(path.name for path in target.iterdir()))
