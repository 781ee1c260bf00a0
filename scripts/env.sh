#!/bin/sh
# Makes the environment in .venv: scripts/env.sh [run|test|dev], each set holding the one before it.
# Packages are fetched once into a cache folder and installed from there, so that the next clone needs no network.
set -eu
cd "$(dirname "$0")/.."
set_name=${1:-run}
case $set_name in
    run) target=. covers="run" ;;
    test) target=".[test]" covers="run test" ;;
    dev) target=".[dev]" covers="run test dev" ;;
    *) echo "scripts/env.sh: no set '$set_name'. Write run, test or dev." >&2; exit 2 ;;
esac

checksum() { cksum | tr ' ' '-'; }
stamp="$(cat constraints.txt pyproject.toml hatch_build.py src/boldly/lm/sampling/native/*.h src/boldly/lm/sampling/native/*.cpp | checksum) $PWD" # a moved environment does not work, so the place counts
if [ -x .venv/bin/python ] && [ "$(cat ".venv/boldly-$set_name" 2>/dev/null)" = "$stamp" ]; then exit 0; fi

find_python() {
    for candidate in ${PYTHON:-python3 python3.11 python3.12 python3.13 python3.14}; do
        if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            echo "$candidate"
            return
        fi
    done
    echo "boldly needs Python 3.11 or newer; none of '${PYTHON:-python3 python3.11 ... python3.14}' is one." >&2
    echo "Install it (Debian, Ubuntu: apt-get install python3 python3-venv) or name it: PYTHON=/path/to/python make ..." >&2
    return 1
}
if [ ! -x .venv/bin/python ] || ! grep -qF "$PWD/.venv/" .venv/bin/pip; then
    python=$(find_python)
    if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
        version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
        echo "Python $version lacks the venv module. On Debian and Ubuntu: apt-get install python$version-venv" >&2
        exit 1
    fi
    "$python" -m venv --clear .venv
fi
pip() { .venv/bin/python -m pip --disable-pip-version-check "$@"; }

tag=$(.venv/bin/python -c 'import sys, sysconfig; print(sys.implementation.cache_tag, sysconfig.get_platform(), sep="-")')
needs=$({ cat constraints.txt; sed -n '/^\[build-system\]/,/^$/p; /^dependencies/,/^]/p; /^\[project.opt/,/^$/p' pyproject.toml; } | checksum)
wheels="${XDG_CACHE_HOME:-$HOME/.cache}/boldly/wheels-$needs-$tag"
if [ ! -e "$wheels/complete-$set_name" ]; then
    echo "Fetching packages into $wheels (once; several minutes)" >&2
    pip download --only-binary :all: --constraint constraints.txt --dest "$wheels" hatchling editables "$target" >&2
    for name in $covers; do : > "$wheels/complete-$name"; done
fi

echo "Installing into .venv (about a minute)" >&2
install() { pip install --quiet --no-index --find-links "$wheels" --constraint constraints.txt "$@"; }
install hatchling editables
install --no-build-isolation --editable "$target"
for name in $covers; do echo "$stamp" > ".venv/boldly-$name"; done
