import mmap

with open("data/sales.csv", "rb") as source:
    with mmap.mmap(source.fileno(), 0, access=mmap.ACCESS_READ) as view:
        print(view.find(b"north") >= 0)
