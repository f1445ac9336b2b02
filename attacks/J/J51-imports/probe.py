import importlib, os, sys, time

sys.path.insert(0, os.environ["HOME"])
sys.dont_write_bytecode = True
for number in range(250):
    with open(f"{sys.path[0]}/module_{number}.py", "w") as file:
        file.write('held = b"x" * (1 << 20)\n')
    importlib.invalidate_caches()
    importlib.import_module(f"module_{number}")
time.sleep(0.2)
