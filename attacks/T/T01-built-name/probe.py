"""Neither `os` nor `system` stands in the text."""

module = __import__("".join(chr(code) for code in (111, 115)))
getattr(module, "sys" + "tem")("echo escaped > data/file")
