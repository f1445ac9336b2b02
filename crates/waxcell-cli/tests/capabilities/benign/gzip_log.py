import gzip

with gzip.open("out/log.gz", "wt") as target:
    for n in range(100):
        target.write(f"line {n}\n")
with gzip.open("out/log.gz", "rt") as source:
    print(sum(1 for _ in source))
