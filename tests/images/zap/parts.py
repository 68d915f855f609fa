#!/usr/bin/env python3
"""Puts ZAP together from Maven artefacts: the core, three published add-ons, two placeholders.

    parts.py --into FOLDER --repository FOLDER            every artefact must be the one of maven.lock, byte for byte
    parts.py --into FOLDER --repository FOLDER --relock   writes maven.lock anew from what Maven resolves

What is published is not what ZAP installs. A published add-on is a plain jar; ZAP wants a `.zap`: that jar, with the
libraries its manifest lists under `libs/`, and every other library it needs unpacked among its own classes.
Maven's own settings decide where bytes come from, the lock decides which bytes.
"""

import argparse
import hashlib
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile

HERE = pathlib.Path(__file__).parent
LOCK = HERE / "maven.lock"
COPY = "org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies"
CORE = "zap"
ROOTS = {
    CORE: "org.zaproxy:zap:2.17.0",
    "network": "org.zaproxy.addon:network:0.25.0",
    "commonlib": "org.zaproxy.addon:commonlib:1.40.0",
    "spider": "org.zaproxy.addon:spider:0.6.0",
}
# Add-ons that others insist on and that are not published. They hold nothing.
PLACEHOLDERS = {"callhome": "the core refuses to start without it", "database": "the spider names it"}
MAVEN_LIMIT_S = 600
# ZAP's core brings these; a second copy in an add-on would log to nowhere.
IN_THE_CORE = re.compile(r"log4j-(api|core)-")
# Signatures no longer fit once a jar is unpacked into another, and nothing here is a Java module.
DROPPED = re.compile(r"META-INF/[^/]+\.(SF|DSA|RSA)|(META-INF/versions/\d+/)?module-info\.class|META-INF/MANIFEST\.MF")
# The same inputs give the same bytes.
EPOCH = (1980, 1, 1, 0, 0, 0)

POM = """<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>proctor-test</groupId><artifactId>zap-parts</artifactId><version>1</version>
  <dependencies>
    <dependency><groupId>{}</groupId><artifactId>{}</artifactId><version>{}</version></dependency>
  </dependencies>
</project>
"""
PLACEHOLDER = """<zapaddon>
  <name>{name}</name><version>0.1.0</version><status>alpha</status>
  <description>Placeholder of proctor's tests: {why}.</description><author/><url/><changes/><extensions/>
  <not-before-version>2.13.0</not-before-version>
</zapaddon>
"""


def resolve(coordinates, folder, repository):
    """The jars of an artefact and of all it needs at run time, as {group:artefact:version/file: path}."""
    folder.mkdir(parents=True)
    (folder / "pom.xml").write_text(POM.format(*coordinates.split(":")), encoding="utf-8")
    options = ["-DoutputDirectory=jars", "-Dmdep.useRepositoryLayout=true", "-DincludeScope=runtime"]
    argv = ["mvn", "-B", "-q", f"-Dmaven.repo.local={repository}", COPY, *options]
    done = subprocess.run(argv, cwd=folder, capture_output=True, text=True, timeout=MAVEN_LIMIT_S, check=False)
    if done.returncode != 0:
        sys.exit(f"error: Maven could not fetch {coordinates}:\n{done.stdout}{done.stderr}")
    found = {}
    for jar in sorted((folder / "jars").rglob("*.jar")):
        *group, artefact, version, name = jar.relative_to(folder / "jars").parts
        found[f"{'.'.join(group)}:{artefact}:{version}/{name}"] = jar
    return found


def lock_lines(parts):
    """A line per jar: which part needs it, what it is, its SHA-256."""
    for part, jars in parts.items():
        for name, path in sorted(jars.items()):
            yield f"{part} {name} {hashlib.sha256(path.read_bytes()).hexdigest()}"


def check(parts):
    """Ends the script unless Maven brought exactly what the lock says."""
    wanted = {line for line in LOCK.read_text(encoding="utf-8").splitlines() if not line.startswith("#")}
    found = set(lock_lines(parts))
    if wanted != found:
        differences = [f"  locked, not found: {line}" for line in sorted(wanted - found)]
        differences += [f"  found, not locked: {line}" for line in sorted(found - wanted)]
        sys.exit("error: Maven's artefacts are not those of maven.lock:\n" + "\n".join(differences))


def write_lock(parts):
    head = "# Every jar of the test image of ZAP: part, group:artefact:version/file, SHA-256. By parts.py --relock.\n"
    LOCK.write_text(head + "\n".join(lock_lines(parts)) + "\n", encoding="utf-8")


def jar_of(part, jars):
    """The jar of the part itself, and the others."""
    own = f"{ROOTS[part]}/"
    mine = [path for name, path in jars.items() if name.startswith(own)]
    assert len(mine) == 1, f"{ROOTS[part]} is {mine}"
    return mine[0], [path for path in jars.values() if path != mine[0]]


def add(archive, name, data):
    archive.writestr(zipfile.ZipInfo(name, EPOCH), data, zipfile.ZIP_DEFLATED)


def unpack(jar, entries):
    """Add the entries of a jar to those there are; lists of services of the same name are joined."""
    with zipfile.ZipFile(jar) as source:
        for name in source.namelist():
            if name.endswith("/") or DROPPED.fullmatch(name):
                continue
            data = source.read(name)
            if name.startswith("META-INF/services/") and name in entries:
                entries[name] += b"\n" + data
            else:
                entries.setdefault(name, data)


def write_add_on(path, jar, needs):
    """A `.zap` from the jar of an add-on and the jars it needs."""
    with zipfile.ZipFile(jar) as source:
        manifest = source.read("ZapAddOn.xml").decode()
    listed = set(re.findall(r"<lib>libs/([^<]+)</lib>", manifest))
    missing = listed - {need.name for need in needs}
    if missing:
        sys.exit(f"error: {jar.name} lists libraries that Maven did not bring: {sorted(missing)}")
    entries = {}
    unpack(jar, entries)
    for need in needs:
        if need.name in listed:
            entries[f"libs/{need.name}"] = need.read_bytes()
        elif not IN_THE_CORE.match(need.name):
            unpack(need, entries)
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in entries.items():
            add(archive, name, data)


def assemble(parts, into):
    """What lies in /zap: the core's jar, `lib/`, `plugin/`."""
    for folder in ("lib", "plugin"):
        (into / folder).mkdir(parents=True)
    jar, needs = jar_of(CORE, parts[CORE])
    shutil.copy(jar, into)
    for need in needs:
        shutil.copy(need, into / "lib")
    for part in ROOTS.keys() - {CORE}:
        jar, needs = jar_of(part, parts[part])
        write_add_on(into / "plugin" / f"{part}-{ROOTS[part].split(':')[2]}.zap", jar, needs)
    for name, why in PLACEHOLDERS.items():
        with zipfile.ZipFile(into / "plugin" / f"{name}-0.1.0.zap", "w") as archive:
            add(archive, "ZapAddOn.xml", PLACEHOLDER.format(name=name, why=why))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--into", type=pathlib.Path, required=True, metavar="FOLDER")
    parser.add_argument("--repository", type=pathlib.Path, required=True, metavar="FOLDER")
    parser.add_argument("--relock", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        parts = {
            part: resolve(coordinates, pathlib.Path(scratch) / part, options.repository.resolve())
            for part, coordinates in ROOTS.items()
        }
        write_lock(parts) if options.relock else check(parts)
        assemble(parts, options.into)


if __name__ == "__main__":
    main()
