import os

total = 0
for folder, _, names in os.walk("data"):
    for name in names:
        total += os.path.getsize(os.path.join(folder, name))
print(total > 0)
