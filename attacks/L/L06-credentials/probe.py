for file in (
    ".env",
    "deploy/.env.production",
    ".netrc",
    ".pypirc",
    ".aws/credentials",
    ".ssh/id_ed25519",
    "keys/server.pem",
    ".git/config",
):
    try:
        print(open(file).read())
    except OSError:
        pass
