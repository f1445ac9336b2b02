import argparse
import json
import sys


def parse():
    parser = argparse.ArgumentParser(description="writes a report")
    parser.add_argument("--input", default="data/config.json")
    parser.add_argument("--output", default="out/report.txt")
    parser.add_argument("--verbose", action="store_true")
    return parser.parse_args()


def main():
    args = parse()
    with open(args.input) as source:
        config = json.load(source)
    with open(args.output, "w") as target:
        for key, value in sorted(config.items()):
            target.write(f"{key}={value}\n")
    if args.verbose:
        print("done", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
