import fileinput

total = 0
for line in fileinput.input(files=["data/sales.csv", "data/letter.txt"]):
    total += 1
print(total)
