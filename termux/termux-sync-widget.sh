#!/bin/sh
# Part of openclaw: a widget that takes the logins of vendors' programs into the auth store, here or on the host.
set -u

exec "$HOME/.local/share/openclaw/tell" 'Synced. '
