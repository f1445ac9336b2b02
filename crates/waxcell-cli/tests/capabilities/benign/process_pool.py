from concurrent.futures import ProcessPoolExecutor


def cube(n):
    return n ** 3


def main():
    with ProcessPoolExecutor(2) as pool:
        print(list(pool.map(cube, range(4))))


if __name__ == "__main__":
    main()
