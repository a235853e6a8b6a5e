#!/bin/sh
# After the files are in place, at the first installation as at an upgrade. DPKG_ROOT: an image that is being built.
set -e
root=${DPKG_ROOT:-}
home="$root/opt/Parley"

# Chromium's sandbox wants user namespaces; where the system refuses them, its helper has to run as root.
if [ -e "$home/chrome-sandbox" ]; then
  if [ -L /proc/self/ns/user ] && unshare --user true 2>/dev/null; then
    chmod 0755 "$home/chrome-sandbox"
  else
    chmod 4755 "$home/chrome-sandbox"
  fi
fi

# Where AppArmor refuses user namespaces to programs that it does not know, the profile allows them to this one.
# A parser that does not understand the profile belongs to a system that does not need it.
profile="$home/resources/apparmor-profile"
if [ -e "$profile" ] && command -v apparmor_parser >/dev/null 2>&1 &&
  apparmor_parser --skip-kernel-load --skip-cache --debug "$profile" >/dev/null 2>&1; then
  mkdir -p "$root/etc/apparmor.d"
  cp -f "$profile" "$root/etc/apparmor.d/parley"
  chmod 0644 "$root/etc/apparmor.d/parley"
  if [ -z "$root" ] && ! { command -v ischroot >/dev/null 2>&1 && ischroot; } &&
    aa-status --enabled >/dev/null 2>&1; then
    apparmor_parser --replace --write-cache --skip-read-cache /etc/apparmor.d/parley || true
  fi
fi
