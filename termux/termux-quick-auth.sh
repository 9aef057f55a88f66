#!/bin/sh
# Part of openclaw: a widget that shows the state of the credentials at a tap.
set -u

: "${PREFIX:=/data/data/com.termux/files/usr}"
PATH=$PREFIX/bin${PATH:+:$PATH}
export PATH

line=$("$HOME/.local/share/openclaw/tell" '' --no-sync)
code=$?
printf '%s\n' "$line"
case $code in
  1 | 2)
    termux-notification --id openclaw-widget --title 'Model credentials' --content "$line" \
      --button1 Re-auth --button1-action 'sh ~/.shortcuts/openclaw-reauth' >/dev/null || :
    ;;
esac
exit "$code"
