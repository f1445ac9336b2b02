import os

# NUL, half a letter, a surrogate, a letter that is too long, and no end of line.
piece = b"\0\xe2\x82\xed\xa0\x80\xc0\xaf\xff\x1b[\xf4\x90\x80\x80\r"
for _ in range(80):
    os.write(1, piece * 4096)
