#!/bin/sh
# The states of Claude Code's login and of the auth store: claude-auth-status.sh [full|json|simple].
#
# `simple` prints one word: OK (exit 0), CLAUDE_EXPIRING or OPENCLAW_EXPIRING (2), CLAUDE_EXPIRED or OPENCLAW_EXPIRED (1).
# `json` and `full` exit 0. Any other code: the check itself failed, and no word is printed.
set -u

PATH=${PATH:+$PATH:}$HOME/.local/bin:$HOME/.cargo/bin:/usr/local/bin:/usr/bin:/bin
export PATH

if ! command -v openclaw >/dev/null 2>&1; then
  echo 'claude-auth-status.sh: openclaw is not on the PATH; nothing was checked. scripts/install.sh installs it' >&2
  exit 69
fi
exec openclaw models auth claude-status "${1:-full}"
