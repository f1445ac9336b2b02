"""Peers that others wrote, beside the servers of the world: Hypercorn for HTTP/1.1, HTTP/2 and WebSockets, PostgreSQL, git's daemon."""
import asyncio, glob, os, subprocess, threading, time

import servers
from hypercorn.asyncio import serve
from hypercorn.config import Config

ADDRESSES = REAL, REAL6 = "93.184.216.35", "2606:2800:220:1::35"
NAMES = {
    "real.example.org": {servers.A: [REAL], servers.AAAA: [REAL6]},
    "four.example.org": {servers.A: [REAL]},
    "six.example.org": {servers.AAAA: [REAL6]},
}
ENDS = ["setpriv", "--pdeathsig", "KILL"]   # ends with whoever started it
POSTGRES = sorted(glob.glob("/usr/lib/postgresql/*/bin/postgres"))


def listens(address, port, until):
    """Waits until somebody listens there."""
    while True:
        try:
            return servers.socket.create_connection((address, port), timeout=5).close()
        except ConnectionRefusedError:
            if time.monotonic() > until:
                raise


async def application(scope, receive, send):
    """Says how it was asked; serves the files of `www`; says again what comes over a WebSocket."""
    if scope["type"] == "lifespan":
        return
    fields = dict(scope["headers"])
    host = fields.get(b"host", b"-").decode()
    servers.SEEN.append((scope["server"][0], scope["scheme"], f"{scope['http_version']} {scope['path']} {host}"))
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.accept"})
        while (message := await receive())["type"] == "websocket.receive":
            await send({"type": "websocket.send", "text": message["text"]})
        return
    size, more = 0, True
    while more:
        message = await receive()
        size, more = size + len(message.get("body", b"")), message.get("more_body", False)
    status, body = 200, f"{scope['http_version']} {scope['path']} {size}".encode()
    if scope["path"].startswith("/repo.git/"):
        try:
            with open(f"{FOLDER}/www{scope['path']}", "rb") as file:
                body = file.read()
        except OSError:
            status, body = 404, b""
    if scope["path"] == "/moved":
        await send({"type": "http.response.start", "status": 302, "headers": [(b"location", b"https://six.example.org/there")]})
        return await send({"type": "http.response.body"})
    await send({"type": "http.response.start", "status": status, "headers": [(b"content-length", b"%d" % len(body))]})
    await send({"type": "http.response.body", "body": body})


async def web():
    config = Config()
    config.bind = [f"{REAL}:443", f"[{REAL6}]:443"]
    config.insecure_bind = [f"{REAL}:80", f"[{REAL6}]:80"]
    config.certfile, config.keyfile = f"{FOLDER}/site.pem", f"{FOLDER}/site.key"
    config.errorlog = None
    await serve(application, config, shutdown_trigger=asyncio.Event().wait)


def repository():
    os.mkdir(f"{FOLDER}/www")
    git = lambda *words: subprocess.run(["git", "-c", "user.name=a", "-c", "user.email=a", *words], check=True, stdout=subprocess.DEVNULL)
    git("init", "-q", "-b", "main", f"{FOLDER}/made")
    git("-C", f"{FOLDER}/made", "commit", "-q", "--allow-empty", "-m", "first")
    git("clone", "-q", "--bare", f"{FOLDER}/made", f"{FOLDER}/www/repo.git")
    git("-C", f"{FOLDER}/www/repo.git", "update-server-info")
    daemon = subprocess.run(["git", "--exec-path"], capture_output=True, text=True, check=True).stdout.strip() + "/git-daemon"
    subprocess.Popen(ENDS + [daemon, "--export-all", f"--base-path={FOLDER}/www", f"--listen={REAL}"], stderr=subprocess.DEVNULL)


def postgres():
    """A server of PostgreSQL, which refuses to be root, and asks for the name of whoever it is."""
    programs, data = os.path.dirname(POSTGRES[-1]), f"{FOLDER}/postgres"
    other = ["unshare", "--user", "--map-user=1", "--map-group=1"]
    subprocess.run(other + [f"{programs}/initdb", "--no-sync", "--auth=trust", "--username=bee", "--encoding=UTF8", "--locale=C", data], check=True, stdout=subprocess.DEVNULL)
    with open(f"{data}/postgresql.conf", "a") as file:
        file.write(f"listen_addresses = '{REAL},{REAL6}'\nunix_socket_directories = ''\nfsync = off\n"
                   f"ssl = on\nssl_cert_file = '{FOLDER}/site.pem'\nssl_key_file = '{FOLDER}/site.key'\n")
    with open(f"{data}/pg_hba.conf", "a") as file:
        file.write("hostssl all all all trust\n")
    subprocess.Popen(other + ENDS + [f"{programs}/postgres", "-D", data], stderr=subprocess.DEVNULL)


def start(folder):
    global FOLDER
    FOLDER = folder
    servers.ZONE.update(NAMES)
    threading.Thread(target=lambda: asyncio.run(web()), daemon=True).start()
    repository()
    if POSTGRES:
        postgres()
    until = time.monotonic() + 20
    for address, port in ((REAL, 80), (REAL6, 443), (REAL, 9418)) + ((REAL, 5432), (REAL6, 5432)) * bool(POSTGRES):
        listens(address, port, until)
