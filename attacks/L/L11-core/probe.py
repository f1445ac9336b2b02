import os, resource, sys

os.chdir(sys.argv[1])
most = resource.getrlimit(resource.RLIMIT_CORE)[1]
resource.setrlimit(resource.RLIMIT_CORE, (most, most))
os.abort()
