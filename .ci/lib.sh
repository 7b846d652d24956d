# shellcheck shell=bash
# Functions that the scripts of this folder share. Source it; do not run it.

# has PROGRAM... succeeds if at least one of the programs is installed.
has() {
    local program
    for program; do
        # Debian has some programs in /usr/sbin, which the PATH of a user may not contain.
        if PATH="$PATH:/usr/sbin" command -v "$program" >/dev/null; then return 0; fi
    done
    return 1
}

# as_root COMMAND... runs a command as root, with sudo if necessary.
as_root() {
    if ((EUID == 0)); then "$@"; else sudo "$@"; fi
}

# install_packages PACKAGE... installs Debian packages, which requires root.
install_packages() {
    as_root apt-get update --quiet=2
    as_root env DEBIAN_FRONTEND=noninteractive \
        apt-get install --quiet=2 --yes --no-install-recommends "$@"
}

# install_missing "PROGRAM...=PACKAGE..." ... installs the packages of each missing program. Several
# programs before the "=" are alternatives.
install_missing() {
    local rule programs packages missing=()
    for rule; do
        read -ra programs <<<"${rule%%=*}"
        read -ra packages <<<"${rule#*=}"
        has "${programs[@]}" || missing+=("${packages[@]}")
    done
    if ((${#missing[@]})); then install_packages "${missing[@]}"; fi
}
