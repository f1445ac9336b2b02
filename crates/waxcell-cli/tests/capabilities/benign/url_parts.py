from urllib.parse import urlencode, urlparse

url = "https://example.org/a?" + urlencode({"q": "x y"})
print(urlparse(url).netloc, url)
