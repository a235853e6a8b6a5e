#!/bin/sh
# After the files are gone. dpkg says why ("remove", "upgrade" …), rpm how many versions remain (0: none).
set -e
root=${DPKG_ROOT:-}

case "${1:-remove}" in
  remove | purge | disappear | abort-install | 0) ;;
  *) exit 0 ;;
esac

profile="$root/etc/apparmor.d/parley"
if [ -e "$profile" ]; then
  if [ -z "$root" ] && command -v apparmor_parser >/dev/null 2>&1 &&
    ! { command -v ischroot >/dev/null 2>&1 && ischroot; } && aa-status --enabled >/dev/null 2>&1; then
    apparmor_parser --remove "$profile" || true
  fi
  rm -f "$profile"
  # Not if other programs have profiles there.
  rmdir "$root/etc/apparmor.d" 2>/dev/null || true
fi
