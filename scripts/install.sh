#!/bin/sh
# Installs openclaw with its completions and manual pages, or takes it away again.
#
#   scripts/install.sh [install|uninstall] [OPTION…]
#
#   --prefix DIR     where to [default: /usr/local for root, ~/.local for everybody else]
#   --binary FILE    copy this program instead of building one
#   --units LIST     also install services: monitor, exporter, gateway, with commas between them; root installs those of
#                    the system, everybody else their own
#   --dry-run        only say what would be done
#   --force          replace files of others that are in the way
#
# Run it again after an update: what it wrote before is replaced, and what is not needed any more goes. Everything that
# it wrote stands in PREFIX/share/openclaw/installed, and `uninstall` takes away that and nothing else.
set -u

newline='
'

note() { printf 'install.sh: %s\n' "$1"; }
fail() {
  printf 'install.sh: %s\n' "$2" >&2
  exit "$1"
}
usage() { fail 64 "$1; scripts/install.sh --help tells more"; }

verb=install prefix='' binary='' units='' dry_run='' force=''
while [ $# -gt 0 ]; do
  case $1 in
    install | uninstall) verb=$1 ;;
    --prefix | --binary | --units)
      [ $# -gt 1 ] || usage "$1 needs a value"
      case $1 in
        --prefix) prefix=$2 ;;
        --binary) binary=$2 ;;
        --units) units=$2 ;;
      esac
      shift
      ;;
    --prefix=*) prefix=${1#*=} ;;
    --binary=*) binary=${1#*=} ;;
    --units=*) units=${1#*=} ;;
    --dry-run) dry_run=yes ;;
    --force) force=yes ;;
    --help | -h)
      sed -n '2,/^set/s/^# \{0,1\}//p' "$0"
      exit 0
      ;;
    *) usage "unknown word: $1" ;;
  esac
  shift
done

if [ "$(id -u)" = 0 ]; then
  flavour=--system
  : "${prefix:=/usr/local}"
else
  flavour=--user
  : "${prefix:=$HOME/.local}"
fi
prefix=${prefix%/}
case $prefix in
  *"$newline"*) usage 'the prefix must be one line' ;;
  /*) ;;
  *) usage "the prefix must begin at the root: $prefix" ;;
esac
units=$(printf '%s' "$units" | tr ',' ' ')
for unit in $units; do
  case $unit in
    exporter | gateway | monitor) ;;
    *) usage "no such service: $unit" ;;
  esac
done

here=$(cd "$(dirname "$0")/.." && pwd) || fail 74 'where am I?'
program=$prefix/bin/openclaw
pages=$prefix/share/man/man1
list=$prefix/share/openclaw/installed

# The list: a letter, a space and a path or a name on each line. d is a folder that was made, f a file, u a service.
is_listed() {
  [ -f "$list" ] || return 1
  while IFS= read -r line; do
    if [ "$line" = "$1 $2" ]; then return 0; fi
  done <"$list"
  return 1
}

run() {
  if [ -n "$dry_run" ]; then
    note "would run: $*"
  else
    "$@" </dev/null || fail 74 "failed: $*"
  fi
}

refuse_foreign() {
  if [ -n "$force" ] || is_listed f "$1"; then return 0; fi
  if [ -e "$1" ] || [ -L "$1" ]; then
    fail 1 "$1 is not ours; --force replaces it. Nothing was installed"
  fi
}

# Adds a line to the list, for a file before it is there: whoever is killed can be cleaned up after.
remember() {
  new=$new$1$newline
  if [ -d "${list%/*}" ] && ! is_listed "${1%% *}" "${1#* }"; then
    printf '%s\n' "$1" >>"$list" || fail 74 "failed to write $list"
  fi
}

# Whether nothing of ours but folders is here.
is_first_run() {
  while IFS= read -r line; do
    case $line in 'd '*) ;; *) return 1 ;; esac
  done <"$list"
}

make_folder() {
  if [ -z "$1" ] || [ -d "$1" ]; then return 0; fi
  make_folder "${1%/*}"
  run mkdir -m 755 "$1"
  remember "d $1"
}

# Puts a file where it belongs, by a rename: a program that runs is not written over.
put() {
  if [ -n "$dry_run" ]; then
    note "would write $2"
    return 0
  fi
  make_folder "${2%/*}"
  run cp "$1" "$2.openclaw-new"
  run chmod "$3" "$2.openclaw-new"
  remember "f $2"
  run mv -f "$2.openclaw-new" "$2"
}

build() {
  if [ -n "$binary" ]; then
    [ -f "$binary" ] || fail 66 "there is no file $binary"
    case $binary in /*) ;; *) binary=$PWD/$binary ;; esac
    return 0
  fi
  [ -f "$here/Cargo.toml" ] || fail 66 'there is nothing to build here; --binary FILE names a program'
  command -v cargo >/dev/null 2>&1 || fail 69 'cargo is not on the PATH: https://rustup.rs, or --binary FILE'
  binary=$here/target/release/openclaw
  if [ -n "$dry_run" ]; then
    note "would run: cargo build --release --locked in $here"
  else
    (cd "$here" && CARGO_TARGET_DIR=$here/target cargo build --release --locked) || fail 70 'the build failed'
  fi
}

# Where everything comes together before it is put anywhere: beside the list, so that no other file system is needed.
stage=$prefix/share/openclaw/new

completion_file() {
  case $1 in
    bash) echo "$prefix/share/bash-completion/completions/openclaw" ;;
    fish) echo "$prefix/share/fish/vendor_completions.d/openclaw.fish" ;;
    zsh) echo "$prefix/share/zsh/site-functions/_openclaw" ;;
  esac
}

install_all() {
  new=''
  for target in "$program" "$(completion_file bash)" "$(completion_file fish)" "$(completion_file zsh)"; do
    refuse_foreign "$target"
  done
  build
  if [ -z "$dry_run" ]; then
    make_folder "${list%/*}"
    # These were made before there was a place for the list.
    [ -z "$new" ] || printf '%s' "$new" >"$list" || fail 74 "failed to write $list"
    rm -rf "$stage"
    mkdir -m 700 "$stage" || fail 74 "failed to make $stage"
    trap 'rm -rf "$stage"' EXIT
    "$binary" man --dir "$stage/man" >/dev/null || fail 70 "$binary makes no manual pages"
    for page in "$stage"/man/*; do
      if ! (refuse_foreign "$pages/${page##*/}"); then
        rm -rf "$stage"
        is_first_run && uninstall_all >/dev/null
        exit 1
      fi
    done
    for shell in bash fish zsh; do
      "$binary" completions "$shell" >"$stage/$shell" || fail 70 "$binary makes no completions"
    done
  fi
  put "$binary" "$program" 755
  for shell in bash fish zsh; do put "$stage/$shell" "$(completion_file "$shell")" 644; done
  if [ -n "$dry_run" ]; then
    note "would write the manual pages to $pages"
  else
    for page in "$stage"/man/*; do put "$page" "$pages/${page##*/}" 644; done
  fi
  drop_old
  for unit in $units; do
    [ -n "$dry_run" ] || remember "u $unit $flavour"
    run "$program" service install "$unit" "$flavour"
  done
  if [ -n "$dry_run" ]; then return 0; fi
  note "installed $program"
  case :$PATH: in
    *":$prefix/bin:"*) ;;
    *) note "$prefix/bin is not on your PATH yet" ;;
  esac
}

# Files of earlier runs that are not written any more go; folders and services stay in the list.
drop_old() {
  if [ -n "$dry_run" ]; then return 0; fi
  kept=''
  while IFS= read -r line; do
    case $newline$new in
      *"$newline$line$newline"*) kept=$kept$line$newline ;;
      *)
        case $line in
          'f '*) run rm -f "${line#f }" ;;
          *) kept=$kept$line$newline ;;
        esac
        ;;
    esac
  done <"$list"
  if ! { printf '%s' "$kept" >"$list.new" && mv -f "$list.new" "$list"; }; then
    fail 74 "failed to write $list"
  fi
}

uninstall_all() {
  [ -f "$list" ] || fail 1 "nothing of ours is in $prefix: there is no $list"
  folders=''
  # Services first: the program takes them away itself.
  while IFS= read -r line; do
    case $line in
      'u '*)
        unit=${line#u }
        [ -x "$program" ] || fail 1 "$program is gone, and only it removes its service ${unit% *}; install it again first"
        run "$program" service uninstall "${unit% *}" "${unit#* }"
        ;;
    esac
  done <"$list"
  while IFS= read -r line; do
    case $line in
      'f '*) run rm -f "${line#f }" ;;
      'd '*) folders=${line#d }$newline$folders ;;
    esac
  done <"$list"
  run rm -f "$list"
  # What was made last goes first; what holds something else stays.
  set -f
  IFS=$newline
  for folder in $folders; do
    if [ -n "$dry_run" ]; then
      note "would remove $folder when it is empty"
    else
      rmdir "$folder" 2>/dev/null || :
    fi
  done
  unset IFS
  [ -n "$dry_run" ] || note "removed what was installed in $prefix"
}

"${verb}_all"
