import sqlite3

db = sqlite3.connect(":memory:")
db.execute("create table t (x integer)")
db.executemany("insert into t values (?)", [(n,) for n in range(10)])
print(db.execute("select sum(x) from t").fetchone()[0])
