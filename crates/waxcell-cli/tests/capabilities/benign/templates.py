import string
from pathlib import Path

FOLDERS = {"in": "data", "out": "out"}
template = string.Template(Path(FOLDERS["in"], "letter.txt").read_text())
for name in ("Ada", "Grace"):
    Path(FOLDERS["out"], f"{name.lower()}.txt").write_text(template.substitute(name=name))
print(Path("out/ada.txt").read_text().strip())
