import time
from xml.etree import ElementTree

# Parsers refuse what becomes a hundred times as long.
long = "x" * 3_000_000
ElementTree.fromstring(f'<!DOCTYPE x [<!ENTITY l "{long}">]><x>{"&l;" * 95}</x>')
time.sleep(0.2)
