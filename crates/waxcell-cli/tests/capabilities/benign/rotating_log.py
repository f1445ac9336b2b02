import logging
import logging.handlers

handler = logging.handlers.RotatingFileHandler("out/rotating.log", maxBytes=200, backupCount=2)
log = logging.getLogger("r")
log.addHandler(handler)
for n in range(20):
    log.warning("message number %d", n)
handler.close()
print("done")
