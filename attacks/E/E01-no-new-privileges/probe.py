import sys

# With no_new_privs nobody gains anything by executing; the judge reads it from outside.
print("ready", flush=True)
sys.stdin.read()
