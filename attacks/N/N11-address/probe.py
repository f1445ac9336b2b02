import ssl, sys, urllib.request

trust = ssl.create_default_context()
trust.check_hostname, trust.verify_mode = False, ssl.CERT_NONE
for url in sys.argv[1:]:
    try:
        urllib.request.urlopen(url, timeout=2, context=trust if url.startswith("https") else None)
    except OSError:
        pass
