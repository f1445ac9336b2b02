import importlib

NAMES = ["json", "csv"]
for name in NAMES:
    module = importlib.import_module(name)
    print(module.__name__)
colour = importlib.import_module("colorsys")
print(colour.rgb_to_hsv(0, 0, 0))
