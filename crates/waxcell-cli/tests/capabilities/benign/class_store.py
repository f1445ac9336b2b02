import json
from pathlib import Path


class Store:
    def __init__(self, folder):
        self.folder = Path(folder)
        self.index = self.folder / "index.json"

    def load(self):
        if not self.index.exists():
            return {}
        return json.loads(self.index.read_text())

    def save(self, value):
        self.folder.mkdir(parents=True, exist_ok=True)
        self.index.write_text(json.dumps(value))


store = Store("out/store")
value = store.load()
value["runs"] = value.get("runs", 0) + 1
store.save(value)
print(store.load())
