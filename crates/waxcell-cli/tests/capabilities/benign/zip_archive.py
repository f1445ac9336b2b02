import zipfile

with zipfile.ZipFile("out/archive.zip", "w") as archive:
    archive.write("data/sales.csv", "sales.csv")
    archive.writestr("readme.txt", "hello")
with zipfile.ZipFile("out/archive.zip") as archive:
    print(archive.namelist())
