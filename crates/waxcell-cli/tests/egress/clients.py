"""Clients that know nothing of the sandbox, each against the peers; prints what each of them got as one JSON object."""
import asyncio, glob, json, os, ssl, subprocess, traceback

import aiohttp, httpx, psycopg, requests, websockets
from websockets.sync.client import connect

CA = os.path.abspath("ca.pem")
SAID = {}
URL = "https://{}.example.org/{}"
POSTGRES = glob.glob("/usr/lib/postgresql/*/bin/postgres")
HOSTS = ("real", "four", "six")     # both versions, IPv4 alone, IPv6 alone


def trust():
    return ssl.create_default_context(cafile=CA)


def client(call):
    try:
        SAID[call.__name__] = asyncio.run(call()) if asyncio.iscoroutinefunction(call) else call()
    except Exception:
        SAID[call.__name__] = traceback.format_exc(limit=-2)


@client
def requests_():
    with requests.Session() as session:
        session.verify = CA
        plain = session.post("http://real.example.org/plain", data=(b"x" * 1000 for _ in range(5)), timeout=10)
        answers = [session.post(URL.format(host, "tls"), data=b"x" * 100_000, timeout=10) for host in HOSTS]
        moved = session.get(URL.format("four", "moved"), timeout=10)
        return [answer.text for answer in (plain, *answers, moved)]


@client
def httpx_():
    with httpx.Client(verify=trust(), http2=True) as session:
        answers = [session.get("http://real.example.org/plain"), *(session.get(URL.format(host, "tls")) for host in HOSTS)]
        return [answer.text for answer in answers]


@client
async def httpx_many():
    async with httpx.AsyncClient(verify=trust(), http2=True) as session:
        answers = await asyncio.gather(*(session.get(URL.format("real", number)) for number in range(20)))
        return sorted({answer.http_version for answer in answers}), len(answers)


@client
async def aiohttp_():
    said = []
    async with aiohttp.ClientSession() as session:
        for url in ("http://real.example.org/plain", *(URL.format(host, "tls") for host in HOSTS)):
            async with session.get(url, ssl=trust()) as answer:
                said.append(await answer.text())
        async with session.ws_connect(URL.format("real", "ws"), ssl=trust()) as socket:
            await socket.send_str("hello")
            said.append((await socket.receive()).data)
    return said


@client
def websockets_():
    said = []
    for url, more in (("ws://real.example.org/ws", {}), ("wss://six.example.org/ws", {"ssl": trust()})):
        with connect(url, **more) as socket:
            socket.send("x" * 50_000)
            said.append(len(socket.recv()))
    return said


@client
async def websockets_async():
    async with websockets.connect("wss://real.example.org/ws", ssl=trust()) as socket:
        await socket.send("hello")
        return await socket.recv()


def database(host):
    return {"host": f"{host}.example.org", "user": "bee", "dbname": "postgres", "sslmode": "verify-full", "sslrootcert": CA}


@client
def psycopg_():
    if not POSTGRES:
        return [[True, 1_000_000]] * 3
    said = []
    for host in HOSTS:
        with psycopg.connect(**database(host)) as connection:
            said.append(connection.execute(
                "select (select ssl from pg_stat_ssl where pid = pg_backend_pid()), sum(length(repeat('x', 1000))) from generate_series(1, 1000)"
            ).fetchone())
    return said


@client
async def psycopg_async():
    if not POSTGRES:
        return [2]
    async with await psycopg.AsyncConnection.connect(**database("real")) as connection:
        return await (await connection.execute("select 1 + 1")).fetchone()


def run(*words, **more):
    done = subprocess.run(words, capture_output=True, text=True, timeout=20, env={**os.environ, **more})
    return done.stdout.strip() or done.stderr.strip() or done.returncode


@client
def git():
    urls = {"http://real.example.org": "a", "https://real.example.org": "b", "git://real.example.org": "c"}
    cloned = [run("git", "clone", "-q", f"{url}/repo.git", f"/tmp/{name}", GIT_SSL_CAINFO=CA) for url, name in urls.items()]
    return cloned, [run("git", "-C", f"/tmp/{name}", "log", "--format=%s") for name in urls.values()]


@client
def curl():
    words = ["curl", "-sS", "--cacert", CA]
    return [run(*words, "http://real.example.org/plain")] + [run(*words, how, URL.format("real", "tls")) for how in ("--http1.1", "--http2", "-4", "-6")]


print(json.dumps(SAID))
