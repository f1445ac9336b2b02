"""Answers questions about versions with PyPA's `packaging`: one JSON list a line in, one answer a line out."""

import json
import sys

from packaging.markers import InvalidMarker, Marker, UndefinedComparison
from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version


def normal(text):
    try:
        return str(Version(text))
    except InvalidVersion:
        return None


def order(one, other):
    one, other = Version(one), Version(other)
    return -1 if one < other else 1 if one > other else 0


def contains(specifiers, version):
    try:
        return SpecifierSet(specifiers).contains(Version(version), prereleases=True)
    except InvalidSpecifier:
        return None


def applies(marker, python, extra):
    try:
        return Marker(marker).evaluate({
            "python_version": python, "os_name": "posix", "sys_platform": "linux", "platform_system": "Linux",
            "platform_machine": "x86_64", "platform_python_implementation": "CPython",
            "implementation_name": "cpython", "extra": extra,
        })
    except (InvalidMarker, UndefinedComparison):
        return None


def requirement(text):
    try:
        parsed = Requirement(text)
    except InvalidRequirement:
        return None
    return [canonicalize_name(parsed.name), sorted(canonicalize_name(extra) for extra in parsed.extras)]


def affected(version, ranges, versions):
    """The evaluation of the OSV schema, with versions of PEP 440; a local version is also looked for as its public one."""

    def among(version):
        if any(Version(listed) == version for listed in versions):
            return True
        for events in ranges:
            limits = [event["limit"] for event in events if "limit" in event]
            if limits and not any(limit == "*" or version < Version(limit) for limit in limits):
                continue
            key = lambda event: (0,) if event == ("introduced", "0") else (1, Version(event[1]), event[0] == "introduced")
            found = False
            for kind, at in sorted((next(iter(event.items())) for event in events if "limit" not in event), key=key):
                if kind == "introduced" and (at == "0" or version >= Version(at)):
                    found = True
                elif kind == "fixed" and version >= Version(at):
                    found = False
                elif kind == "last_affected" and version > Version(at):
                    found = False
            if found:
                return True
        return False

    version = Version(version)
    return among(version) or (version.local is not None and among(Version(version.public)))


ANSWERS = {f.__name__: f for f in (normal, order, contains, applies, requirement, affected)}

for line in sys.stdin:
    question, *arguments = json.loads(line)
    print(json.dumps(ANSWERS[question](*arguments)))
