import configparser

config = configparser.ConfigParser()
config.read("data/settings.ini")
config["run"]["count"] = str(config.getint("run", "count") + 1)
with open("out/settings.ini", "w") as target:
    config.write(target)
print(config["run"]["count"])
