"""Sums a column of a CSV file by group and writes the totals."""
import csv
from collections import defaultdict

totals = defaultdict(float)
with open("data/sales.csv", newline="") as source:
    for row in csv.DictReader(source):
        totals[row["region"]] += float(row["amount"])

with open("out/totals.csv", "w", newline="") as target:
    writer = csv.writer(target)
    writer.writerow(["region", "amount"])
    for region in sorted(totals):
        writer.writerow([region, f"{totals[region]:.2f}"])
print(len(totals), "regions")
