# Sourced by bin/run and bin/test, in the project's root: a Python, a virtual
# environment, and in it exactly what requirements.txt pins.

find_python() {
    for candidate in python3.14 python3.13 python3.12 python3.11 python3 python; do
        if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            echo "$candidate"
            return
        fi
    done
    echo "Python 3.11 or newer is needed and was not found on the PATH." >&2
    exit 1
}

# Debian and Ubuntu split venv from Python: without it ensurepip cannot be imported.
make_venv() {
    python=$(find_python)
    if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
        package=$("$python" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')
        if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
            echo "Python's venv is missing: install the package $package, then run this again." >&2
            exit 1
        fi
        echo "Installing $package"
        apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "$package" >/dev/null
    fi
    echo "Making .venv"
    rm -rf .venv
    "$python" -m venv .venv
}

# A virtual environment whose Python has gone (an upgraded system) is made anew.
.venv/bin/python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || make_venv

wanted=$(sha256sum requirements.txt)
if [ "$wanted" != "$(cat .venv/.installed-requirements 2>/dev/null)" ]; then
    echo "Installing Python packages"
    .venv/bin/python -m pip install -q -q --disable-pip-version-check --no-deps --requirement requirements.txt
    echo "$wanted" > .venv/.installed-requirements
fi
