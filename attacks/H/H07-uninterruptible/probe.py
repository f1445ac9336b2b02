import os

# The parent of a `vfork` sleeps until its child has executed something; the child opens files before that.
fifo = os.environ["HOME"] + "/fifo"
os.mkfifo(fifo)
opens = (os.POSIX_SPAWN_OPEN, 9, fifo, os.O_RDONLY, 0)
os.posix_spawn("/bin/true", ["true"], {}, file_actions=[opens])
