#!/bin/sh
# Looks once and tells people, for cron and timers that call this script already: `openclaw monitor --once` in its words.
#
#   WARN_HOURS    hours before the end of what nobody renews [default: 2]
#   NOTIFY_NTFY   a topic of ntfy.sh, or SERVER/TOPIC
#   NOTIFY_PHONE  is passed over: openclaw sends no text messages
#
# Exits 0, or 1 when something is expired or missing. Any other code: the check itself failed.
set -u

PATH=${PATH:+$PATH:}$HOME/.local/bin:$HOME/.cargo/bin:/usr/local/bin:/usr/bin:/bin
export PATH

if ! command -v openclaw >/dev/null 2>&1; then
  echo 'auth-monitor.sh: openclaw is not on the PATH; nothing was checked. scripts/install.sh installs it' >&2
  exit 69
fi
hours=${WARN_HOURS:-2}
case $hours in
  *[!0-9]*)
    echo "auth-monitor.sh: WARN_HOURS must be a whole number of hours: $hours" >&2
    exit 64
    ;;
esac
if [ -n "${NOTIFY_PHONE:-}" ]; then
  echo 'auth-monitor.sh: NOTIFY_PHONE is passed over; docs/monitor.md lists the channels that there are' >&2
fi

openclaw monitor --once --warn-after="${hours}h" ${NOTIFY_NTFY:+"--ntfy=$NOTIFY_NTFY"}
code=$?
# That something ends soon was told; callers of this script know only what has ended.
if [ "$code" = 2 ]; then code=0; fi
exit "$code"
