import sys

# Newer interpreters have a limit of their own, which any script can lift.
if hasattr(sys, "set_int_max_str_digits"):
    sys.set_int_max_str_digits(0)
str(1 << 4_000_000)
