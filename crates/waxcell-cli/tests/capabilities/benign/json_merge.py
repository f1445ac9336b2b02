"""Merges all JSON files of a folder into one."""
import json
import os

FOLDER = "data/parts"
merged = {}
for name in sorted(os.listdir(FOLDER)):
    if name.endswith(".json"):
        with open(os.path.join(FOLDER, name), encoding="utf-8") as part:
            merged.update(json.load(part))
with open("out/merged.json", "w", encoding="utf-8") as target:
    json.dump(merged, target, indent=2, sort_keys=True)
print(sorted(merged))
