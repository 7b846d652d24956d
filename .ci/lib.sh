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

# debian_root FOLDER installs Debian's newest packages into a folder, unless they are there.
debian_root() {
    local root=$1 mirror
    if [ -e "$root/.ready" ]; then return; fi
    install_missing debootstrap=debootstrap
    mkdir -p "$root"
    # shellcheck disable=SC2016
    mirror=$(apt-get indextargets --format '$(REPO_URI)' | grep -v security | head -n 1)
    as_root debootstrap --variant=minbase --include=ca-certificates,git,procps sid "$root" "$mirror"
    # The mirror may be an archived copy, whose release file is past its date.
    echo 'Acquire::Check-Valid-Until "false";' >"$root/etc/apt/apt.conf.d/99archived"
    touch "$root/.ready"
}

# install_in_root FOLDER PACKAGE... installs Debian packages into such a folder.
install_in_root() {
    local root=$1
    shift
    as_root chroot "$root" apt-get update --quiet=2
    as_root chroot "$root" env DEBIAN_FRONTEND=noninteractive \
        apt-get install --quiet=2 --yes --no-install-recommends "$@"
}

# copy_project FOLDER PATH copies the last commit to a path in such a folder, and the settings that this
# machine needs to reach its package index.
copy_project() {
    local root=$1 path=$2
    cp /etc/resolv.conf "$root/etc/"
    rm -rf "$root/etc/ssl/certs"
    cp -rL /etc/ssl/certs "$root/etc/ssl/"
    if [ -e /etc/pip.conf ]; then cp /etc/pip.conf "$root/etc/"; fi
    rm -rf "${root:?}/$path"
    git clone --quiet --no-hardlinks . "$root/$path"
}

# in_root FOLDER SCRIPT ARGUMENT... runs a bash script inside of such a folder, as root.
in_root() {
    local root=$1 script=$2
    shift 2
    # The mounts are in a namespace of their own, so they end with the process.
    # shellcheck disable=SC2016
    as_root unshare --mount bash -euo pipefail -c '
        root=$1
        shift
        mount -t proc proc "$root/proc"
        mount --rbind /dev "$root/dev"
        export HOME=/root PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
        exec chroot "$root" /bin/bash -euo pipefail -c "$@"
    ' bash "$root" "$script" bash "$@"
}
