import json
import os
import shutil
from tempfile import NamedTemporaryFile

with NamedTemporaryFile("w", suffix=".json", delete=False) as handle:
    json.dump({"a": 1}, handle)
shutil.copy(handle.name, "out/copied.json")
os.unlink(handle.name)
print(open("out/copied.json").read())
