"""The code comes from the environment, and is there only when the script runs."""

import os

exec(os.environ.get("CODE", "") or "open('data/file', 'w').write('escaped')")
