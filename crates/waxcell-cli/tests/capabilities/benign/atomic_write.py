import json
import os


def save(path, value):
    temporary = path + ".tmp"
    with open(temporary, "w") as target:
        json.dump(value, target)
        target.flush()
        os.fsync(target.fileno())
    os.replace(temporary, path)


save("out/state.json", {"round": 3})
print(json.load(open("out/state.json"))["round"])
