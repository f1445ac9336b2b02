import sys

dict.fromkeys(range(0, 30_000 * sys.hash_info.modulus, sys.hash_info.modulus))
