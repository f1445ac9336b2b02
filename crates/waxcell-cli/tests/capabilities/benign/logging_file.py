import logging

logging.basicConfig(filename="out/run.log", level=logging.INFO, format="%(levelname)s %(message)s")
log = logging.getLogger("tally")
log.info("begun")
log.warning("two")
logging.shutdown()
print(open("out/run.log").read().count("\n"))
