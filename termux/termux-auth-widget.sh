#!/bin/sh
# Part of openclaw: a widget that shows the state of the credentials, and leads through a new login.
set -u

: "${PREFIX:=/data/data/com.termux/files/usr}"
PATH=$PREFIX/bin${PATH:+:$PATH}
export PATH

line=$("$HOME/.local/share/openclaw/tell" '' --no-sync)
code=$?
printf '%s\n' "$line"
case $code in
  1 | 2) ;;
  *) exit "$code" ;;
esac

answer=$(termux-dialog radio -t "$line" -v 'Re-auth now,Later,Dismiss')
case $answer in
  *'"Re-auth now"'*)
    url=$("$HOME/.local/share/openclaw/on-host" models auth reauth --url) && termux-open-url "$url"
    exec sh "$HOME/.shortcuts/openclaw-reauth"
    ;;
  *'"Later"'*)
    termux-notification --id openclaw-widget --title 'Model credentials' --content "$line" \
      --button1 Re-auth --button1-action 'sh ~/.shortcuts/openclaw-reauth' >/dev/null || :
    ;;
esac
exit "$code"
