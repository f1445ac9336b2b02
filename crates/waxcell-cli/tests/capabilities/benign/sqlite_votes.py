import sqlite3
from contextlib import closing

with closing(sqlite3.connect("out/votes.db")) as db:
    with db:
        db.execute("create table if not exists votes (model text, choice text)")
        db.executemany("insert into votes values (?, ?)", [("a", "yes"), ("b", "no"), ("c", "yes")])
    rows = db.execute("select choice, count(*) from votes group by choice order by choice").fetchall()
print(rows)
