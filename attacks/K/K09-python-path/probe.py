import random

random.random()
