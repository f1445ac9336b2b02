import tarfile

with tarfile.open("out/data.tar.gz", "w:gz") as archive:
    archive.add("data/notes")
with tarfile.open("out/data.tar.gz") as archive:
    print(sorted(archive.getnames()))
