"""What is executed is in no file that was there when the gate looked."""

with open("data/stage.py", "w") as stage:
    stage.write("open('data/file', 'w').write('escaped')")
exec(compile(open("data/stage.py").read(), "stage", "exec"))
