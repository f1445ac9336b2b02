import sys
from collections import Counter

words = Counter(sys.stdin.read().split())
print(sum(words.values()))
