import xml.etree.ElementTree as ET

tree = ET.parse("data/items.xml")
for item in tree.getroot().iter("item"):
    item.set("seen", "yes")
tree.write("out/items.xml")
print(len(tree.getroot()))
