#!/bin/sh
# Signs and notarises the executable $1, with the identity and keys that the
# workflow's secrets hold. Runs on macOS alone.
set -eu
program=$1
work=$(mktemp -d)
keychain="$work/sign.keychain-db"
password=$(uuidgen)
trap 'security delete-keychain "$keychain" 2>/dev/null; rm -rf "$work"' EXIT

printf '%s' "$APPLE_CERTIFICATE" | base64 --decode >"$work/certificate.p12"
security create-keychain -p "$password" "$keychain"
security unlock-keychain -p "$password" "$keychain"
security import "$work/certificate.p12" -k "$keychain" \
  -P "$APPLE_CERTIFICATE_PASSWORD" -T /usr/bin/codesign
security set-key-partition-list -S apple-tool:,apple: -s -k "$password" \
  "$keychain" >/dev/null

# V8 makes code at run time: without these rights it does not start.
cat >"$work/rights.plist" <<'RIGHTS'
<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<plist version="1.0"><dict>
  <key>com.apple.security.cs.allow-jit</key><true/>
  <key>com.apple.security.cs.allow-unsigned-executable-memory</key><true/>
</dict></plist>
RIGHTS
codesign --force --timestamp --options runtime --keychain "$keychain" \
  --entitlements "$work/rights.plist" --sign "$APPLE_IDENTITY" "$program"
codesign --verify --strict "$program"

printf '%s' "$APPLE_NOTARY_KEY" | base64 --decode >"$work/notary.p8"
ditto -c -k "$program" "$work/program.zip"
xcrun notarytool submit "$work/program.zip" --wait --key "$work/notary.p8" \
  --key-id "$APPLE_NOTARY_KEY_ID" --issuer "$APPLE_NOTARY_ISSUER"
