try:
    with open("data/absent.txt") as source:
        print(source.read())
except FileNotFoundError as error:
    print("no", error.filename)
