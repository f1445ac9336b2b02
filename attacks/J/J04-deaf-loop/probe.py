import itertools, signal

signal.signal(signal.SIGXCPU, signal.SIG_IGN)
signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
# One call of C, some ten seconds long.
sum(itertools.repeat(1, 1_000_000_000))
