from pathlib import Path

base = Path("out") / "tree"
for part in ("x", "y"):
    (base / part).mkdir(parents=True, exist_ok=True)
    (base / part / "file.txt").touch()
print(sorted(str(path) for path in base.rglob("*.txt")))
