import subprocess, sys

# As pip does it, of old and of late.
for command in (
    ["setup.py", "-q", "egg_info"],
    ["-c", "import runpy; runpy.run_path('setup.py', run_name='__main__')"],
    ["-c", "exec(compile(open('setup.py').read(), 'setup.py', 'exec'), {'__name__': '__main__'})"],
):
    subprocess.run([sys.executable, *command], cwd=sys.argv[1], stderr=subprocess.DEVNULL)
