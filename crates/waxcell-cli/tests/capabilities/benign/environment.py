import os

home = os.environ.get("HOME", "")
user = os.environ.get("BENIGN_USER", "nobody")
if "BENIGN_MODE" in os.environ:
    print("mode", os.environ["BENIGN_MODE"])
print(user, bool(home), os.getenv("BENIGN_UNSET", "none"))
