#!/bin/sh
# Leads through a new login at Anthropic, over ssh from a phone too; does nothing when nobody is needed.
#
# Exits 0, or 1 when somebody is still needed.
set -u

PATH=${PATH:+$PATH:}$HOME/.local/bin:$HOME/.cargo/bin:/usr/local/bin:/usr/bin:/bin
export PATH

if ! command -v openclaw >/dev/null 2>&1; then
  echo 'mobile-reauth.sh: openclaw is not on the PATH. scripts/install.sh installs it' >&2
  exit 1
fi
openclaw models auth reauth || exit 1
