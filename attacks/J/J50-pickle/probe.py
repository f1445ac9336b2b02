import operator, pickle, time


class Call:
    def __init__(self, *call):
        self.call = call

    def __reduce__(self):
        function, *arguments = self.call
        return function, tuple(arguments)


bomb = pickle.dumps([(Call(operator.mul, b"x", 1 << 20), Call(time.sleep, 0.001)) for _ in range(250)])
held = pickle.loads(bomb)
time.sleep(0.2)
