"""The text is the base64 of a compressed line."""

import base64
import zlib

exec(zlib.decompress(base64.b64decode("eJzLzC3ILypRyC+2BmK94sriktRcDfXU5Ix8hdTi5MSC1BQFO4WUxJJE/bTMnFR1TQCr9xDI")))
