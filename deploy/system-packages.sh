#!/usr/bin/env bash
# Installs, from Debian, the system packages that are missing, and only those.
#
#   deploy/system-packages.sh [--check] [runtime|test]
#
# runtime   what `make demo` needs: venv for Python, Orthanc with its DICOMweb and GDCM plugins, and libjpeg-turbo,
#           which blackens parts of lossy JPEG frames without a second loss
# test      runtime, and what the tests start or call beside it
# --check   change nothing: print the missing packages, one a line
#
# Exit codes: 0 all is there; 1 packages are missing (--check only); 2 wrong usage;
#             3 root is needed; 4 not a Debian system; 5 apt failed.
set -euo pipefail

RUNTIME=(python3-venv orthanc orthanc-dicomweb orthanc-gdcm libturbojpeg0)
# postgresql: one with TLS, which the server of `make demo` lacks; the tests try the production configuration on it.
# docker-compose is 1.29 in bookworm and 2.x in trixie; the tests only ask it to read docker-compose.yaml.
TESTING=(redis-server postgresql docker-compose chromium)

# Services that Debian starts on installation. Ours run beside them, from private folders, on ports that they would hold.
SERVICES=(orthanc redis-server postgresql)

say() { printf 'system-packages: %s\n' "$*" >&2; }

# Prints those of the given packages that are not installed. One query for all, because every `make` runs it.
missing_of() {
    local known package
    # dpkg-query exits 1 when it does not know one of the names, which is an answer here.
    known=$(dpkg-query --show --showformat '${Package}=${db:Status-Status}\n' "$@" 2>/dev/null) || true
    for package in "$@"; do
        grep -qx "$package=installed" <<<"$known" || printf '%s ' "$package"
    done
}

# Runs apt-get as root. On failure says apt's own reason in one line and leaves its whole output in a file.
apt_get() {
    local log status=0
    log=$(mktemp "${TMPDIR:-/tmp}/dicomanon-apt.XXXXXX")
    # A lock held by unattended-upgrades on a machine that has just booted is waited for, not a failure.
    "${AS_ROOT[@]}" env DEBIAN_FRONTEND=noninteractive LC_ALL=C \
        apt-get -q -o DPkg::Lock::Timeout=120 "$@" </dev/null >"$log" 2>&1 || status=$?
    if [ "$status" -ne 0 ]; then
        local reason
        reason=$(sed -n 's/^\(E\|dpkg\): *//p' "$log" | head -n 1)
        say "apt-get $1 failed (exit $status): ${reason:-see the end of its output}; its output is in $log"
        exit 5
    fi
    rm -f "$log"
}

# Stops a service that this run has installed, now and at the next boot, with or without systemd.
quieten() {
    local service=$1
    if [ -d /run/systemd/system ]; then
        "${AS_ROOT[@]}" systemctl disable --now "$service"
    else
        "${AS_ROOT[@]}" sh -c "PATH=\$PATH:/usr/sbin:/sbin; service '$service' stop; update-rc.d '$service' disable"
    fi >/dev/null 2>&1 || say "could not stop the $service service; if a port is in use later, stop it by hand"
}

usage() {
    sed -n '/^# *deploy\//,/^set /{/^#/p}' "$0" | sed 's/^# \{0,1\}//' >&2
    exit 2
}

main() {
    local check=false set=runtime argument
    for argument in "$@"; do
        case "$argument" in
            --check) check=true ;;
            runtime | test) set=$argument ;;
            *) usage ;;
        esac
    done

    local wanted=("${RUNTIME[@]}")
    [ "$set" = runtime ] || wanted+=("${TESTING[@]}")

    if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
        say "this is not a Debian system; install by other means: Python 3.11 or newer with venv," \
            "Orthanc with its DICOMweb and GDCM plugins, libturbojpeg$([ "$set" = runtime ] || printf ', redis-server, postgresql, docker-compose, chromium')"
        exit 4
    fi

    local missing
    read -ra missing <<<"$(missing_of "${wanted[@]}")"
    if [ "${#missing[@]}" -eq 0 ]; then
        exit 0
    fi
    if $check; then
        printf '%s\n' "${missing[@]}"
        exit 1
    fi

    AS_ROOT=()
    if [ "$(id -u)" -ne 0 ]; then
        AS_ROOT=(sudo -n)
        if ! sudo -n true 2>/dev/null; then
            say "missing: ${missing[*]}; as root, run:" \
                "apt-get update && apt-get install -y --no-install-recommends ${missing[*]}"
            exit 3
        fi
    fi

    say "installing ${missing[*]}"
    apt_get update
    apt_get install -y --no-install-recommends "${missing[@]}"

    local package service
    for package in "${missing[@]}"; do
        for service in "${SERVICES[@]}"; do
            # A service that was here before belongs to somebody: only what this run brought is stopped.
            [ "$package" != "$service" ] || quieten "$service"
        done
    done

    read -ra missing <<<"$(missing_of "${wanted[@]}")"
    if [ "${#missing[@]}" -ne 0 ]; then
        say "apt-get reported success, yet still missing: ${missing[*]}"
        exit 5
    fi
}

main "$@"
