for name in ("stat", "interrupts", "schedstat", "softirqs", "loadavg", "vmstat", "meminfo"):
    try:
        with open(f"/proc/{name}") as file:
            print(file.read())
    except OSError:
        pass
