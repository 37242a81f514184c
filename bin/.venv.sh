# Sourced by bin/run and bin/test, in the project's root, with the file to install in $requirements.

find_python() {
    for candidate in python3 python3.14 python3.13 python3.12 python3.11 python; do
        if "$candidate" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 15))' 2>/dev/null; then
            echo "$candidate"
            return
        fi
    done
    echo "Python 3.11, 3.12, 3.13 or 3.14 is needed and none was found on the PATH." >&2
    exit 1
}

# Debian and Ubuntu split venv from Python: without it ensurepip cannot be imported.
ensure_venv() {
    if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
        package=$("$python" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')
        if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
            echo "Python's venv is missing: install the package $package, then run this again." >&2
            exit 1
        fi
        echo "Installing $package"
        apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "$package" >/dev/null
    fi
}

# A virtual environment whose Python has gone (an upgraded system) is made anew.
python=.venv/bin/python
if ! "$python" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 15))' 2>/dev/null; then
    python=$(find_python)
    ensure_venv
fi
PYTHONPATH=videoplatform "$python" -m embedded.install "$requirements"

# Containers often set this.  Then each of a dozen processes would compile every
# module that it imports, at every start: uv leaves that to the first import.
unset PYTHONDONTWRITEBYTECODE
