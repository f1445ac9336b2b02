import shelve

with shelve.open("out/cache") as cache:
    cache["a"] = [1, 2, 3]
with shelve.open("out/cache") as cache:
    print(cache["a"])
