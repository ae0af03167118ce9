#!/bin/sh
# Installs tc from a GitHub release. Fails closed: without a list of checksums
# that is signed with a release key of tc it installs nothing. Where no openssl
# of this machine can check an Ed25519 signature it says so, and compares the
# checksum alone.
#
#   TC_REPOSITORY=OWNER/tc sh install.sh [--dry-run]
#
# TC_REPOSITORY  where the releases are, for example someone/tc   (needed)
# TC_VERSION     the release, for example v0.3.0   (default: the latest)
# TC_PREFIX      folder for the program            (default: ~/.local/bin)
# TC_NAME        name of the command              (default: tc; asked where another
#                tc is first on the PATH and a terminal is there)
# TC_BASE_URL    where the files are, instead of GitHub: https, or file
set -eu

# Ed25519 public keys, raw, base64: those of src/release/release_keys.ts.
keys="cd1XU+gcOv50Depf0f4rWtAqyJGx5UTz8qeILJl9bLM= SiohJ7KqO70WJ7JZmxp4UghqHmYG7XGXBfGXJkgePpM="
# A signature of "tc release key" and its key: whether openssl can check any.
probe_key="cd1XU+gcOv50Depf0f4rWtAqyJGx5UTz8qeILJl9bLM="
probe="D9dbLipB0Swiv/1gVNdSUWVdAfXmjNLykh1vvKwkO5q6WFC/tv/2ttbySS1/99eiYl7Bf5JacoBpOngwyq05CA=="

version=${TC_VERSION:-latest}
prefix=${TC_PREFIX:-$HOME/.local/bin}
name=${TC_NAME:-}
dry_run=no
[ "${1:-}" = --dry-run ] && dry_run=yes

say() { printf 'tc: %s\n' "$*" >&2; }
die() { say "error: $*"; exit 1; }
need() { command -v "$1" >/dev/null 2>&1 || die "needs $1"; }

need curl
need tar
need uname
need mktemp

case "$(uname -s)-$(uname -m)" in
  Darwin-arm64) target=aarch64-apple-darwin ;;
  Darwin-x86_64) target=x86_64-apple-darwin ;;
  Linux-aarch64 | Linux-arm64) target=aarch64-unknown-linux-gnu ;;
  Linux-x86_64) target=x86_64-unknown-linux-gnu ;;
  *) die "no build for $(uname -s) $(uname -m)" ;;
esac
case $target in
  *linux-gnu)
    if [ -f /etc/alpine-release ]; then
      die "Alpine (musl) is not supported: the program needs glibc"
    fi
    ;;
esac

if [ -n "${TC_BASE_URL:-}" ]; then
  base=$TC_BASE_URL
else
  [ -n "${TC_REPOSITORY:-}" ] || die "set TC_REPOSITORY, for example OWNER/tc"
  case $version in
    latest) base=https://github.com/$TC_REPOSITORY/releases/latest/download ;;
    *) base=https://github.com/$TC_REPOSITORY/releases/download/$version ;;
  esac
fi

archive=tc-$target.tar.gz
if [ "$dry_run" = yes ]; then
  say "would download $base/$archive and its checksum"
  say "would write $prefix/tc"
  exit 0
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' INT TERM HUP
get() {
  curl --proto '=https,file' --tlsv1.2 -fsSL "$base/$1" -o "$work/$1" ||
    die "cannot download $base/$1"
}

# signed KEY FILE SIGNATURE
signed() {
  printf -- '-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEA%s\n-----END PUBLIC KEY-----\n' "$1" >"$work/key.pem"
  openssl pkeyutl -verify -pubin -inkey "$work/key.pem" -rawin \
    -in "$2" -sigfile "$3" >/dev/null 2>&1
}
can_check() {
  command -v openssl >/dev/null 2>&1 || return 1
  echo "tc release key" >"$work/probe"
  printf '%s\n' "$probe" | openssl base64 -d -A >"$work/probe.sig" 2>/dev/null
  signed "$probe_key" "$work/probe" "$work/probe.sig"
}

get "$archive"
get SHA256SUMS
get SHA256SUMS.sig
if can_check; then
  verified=no
  for key in $keys; do
    signed "$key" "$work/SHA256SUMS" "$work/SHA256SUMS.sig" && verified=yes
  done
  [ "$verified" = yes ] || die "SHA256SUMS is not signed with a release key of tc"
  proof="signed with a release key"
else
  proof="NOT verified"
  say "no openssl here can check the signature (Ed25519 needs OpenSSL 3):"
  say "  only the checksum is compared, and that comes from the same place"
fi
want=$(awk -v file="$archive" '$2 == file || $2 == "*" file { print $1 }' "$work/SHA256SUMS")
[ -n "$want" ] || die "SHA256SUMS has no line for $archive"
if command -v sha256sum >/dev/null 2>&1; then
  have=$(sha256sum "$work/$archive" | awk '{ print $1 }')
else
  need shasum
  have=$(shasum -a 256 "$work/$archive" | awk '{ print $1 }')
fi
[ "$want" = "$have" ] || die "checksum of $archive is $have, expected $want"

tar -xzf "$work/$archive" -C "$work" tc
chmod 755 "$work/tc"
said=$("$work/tc" --version) || die "the program does not start"
case $version in
  latest) ;;
  *)
    case $said in
      "tc ${version#v} "*) ;;
      *) die "$version is asked for, and the program calls itself $said" ;;
    esac
    ;;
esac
if [ -z "$name" ]; then
  name=tc
  found=$(command -v tc 2>/dev/null || true)
  case $found in
    "" | "$prefix/tc") ;;
    *)
      if [ -t 2 ] && { : </dev/tty; } 2>/dev/null; then
        printf 'tc: %s is another program of that name. Name for this one [tc]: ' "$found" >&2
        read -r answer </dev/tty || answer=
        name=${answer:-tc}
      fi
      ;;
  esac
fi
case $name in
  *[!A-Za-z0-9._-]* | .* | -*) die "TC_NAME must be a plain name, not $name" ;;
esac
mkdir -p "$prefix"
# A file that nobody else has made: a link in its place would be written through.
fresh=$(mktemp "$prefix/tc.XXXXXXXX")
trap 'rm -rf "$work" "$fresh"' EXIT
cat "$work/tc" >"$fresh"
chmod 755 "$fresh"
# A rename: a running tc keeps its old file.
mv -f "$fresh" "$prefix/$name"
say "installed $said as $prefix/$name ($proof)"

found=$(command -v "$name" 2>/dev/null || true)
if [ "$found" != "$prefix/$name" ]; then
  case $found in
    */sbin/tc) say "your shell finds $found first: that is Linux's traffic control" ;;
    "") say "$prefix is not on your PATH" ;;
    *) say "your shell finds $found first" ;;
  esac
  say "  export PATH=\"$prefix:\$PATH\"   lets it find this one"
fi
