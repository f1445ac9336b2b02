"""Writes a file into the working directory."""
with open("result.txt", "w") as target:
    target.write("42\n")
print(open("result.txt").read().strip())
