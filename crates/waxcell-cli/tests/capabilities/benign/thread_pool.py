from concurrent.futures import ThreadPoolExecutor
from pathlib import Path


def size(path):
    return path.stat().st_size


with ThreadPoolExecutor(max_workers=4) as pool:
    print(sum(pool.map(size, sorted(Path("data").glob("*.csv")))))
