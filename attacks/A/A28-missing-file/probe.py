import os, sys

data = sys.argv[1]
for attempt in (
    lambda: os.mkdir(f"{data}/kept"),
    lambda: open(f"{data}/kept/file", "w").write("x"),
    lambda: open(f"{data}/there/settings", "w").write("x"),
    lambda: open(f"{data}/there/../there/settings", "a").write("x"),
    lambda: os.makedirs(f"{data}/only"),
    lambda: open(f"{data}/only/read", "w").write("x"),
    # By way of another folder.
    lambda: os.mkdir(f"{data}/other"),
    lambda: open(f"{data}/other/settings", "w").write("x"),
    lambda: open(f"{data}/other/file", "w").write("x"),
    lambda: os.rename(f"{data}/there", f"{data}/aside"),
    lambda: os.rename(f"{data}/other", f"{data}/there"),
    lambda: os.rename(f"{data}/other", f"{data}/kept"),
    lambda: os.symlink("other", f"{data}/kept"),
):
    try:
        attempt()
    except OSError:
        pass
