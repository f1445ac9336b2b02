import pickle

with open("out/value.pickle", "wb") as target:
    pickle.dump({"a": (1, 2)}, target)
with open("out/value.pickle", "rb") as source:
    print(pickle.load(source))
