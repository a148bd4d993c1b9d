#!/usr/bin/env bash
# Checks by software that is not ours, against a demo shop of this moment's build. Installs what it uses: npm packages
# beside this file, PyPI packages into a folder under target/, Chromium from the system's packages.
set -euo pipefail
cd "$(dirname "$0")/../.."

tests/cluster.sh ensure
[ -n "${DISPENSE_PROGRAM:-}" ] || cargo build
program=$(realpath "${DISPENSE_PROGRAM:-target/debug/dispense}")

if ! command -v chromium >/dev/null && [ -z "${CHROMIUM:-}" ]; then
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    apt-get update -qq && apt-get install -y -qq chromium fonts-wqy-microhei
  else
    echo "interop: install Chromium first: sudo apt-get install chromium" >&2
    exit 1
  fi
fi
(cd tests/interop && npm install --no-audit --no-fund --silent)
[ -x target/interop/bin/python ] || python3 -m venv target/interop
target/interop/bin/python -c 'import standardwebhooks' 2>/dev/null || target/interop/bin/pip install -q standardwebhooks

target/interop/bin/python -c 'import paypalrestsdk, epay_sdk' 2>/dev/null || target/interop/bin/pip install -q paypalrestsdk epay-sdk
target/interop/bin/python -c 'import alipay.aop, wechatpayv3' 2>/dev/null || target/interop/bin/pip install -q alipay-sdk-python wechatpayv3

target/interop/bin/python -c 'import aiosmtpd, cryptography, dkim, nacl' 2>/dev/null || target/interop/bin/pip install -q aiosmtpd dkimpy pynacl cryptography
if ! command -v smtp-sink >/dev/null; then
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends postfix
  else
    echo "interop: install smtp-sink first: sudo apt-get install postfix" >&2
    exit 1
  fi
fi

for tool in promtool:prometheus slowhttptest:slowhttptest; do
  command -v "${tool%:*}" >/dev/null && continue
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    apt-get update -qq
    # Without the service that the package would start.
    DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get install -y -qq --no-install-recommends "${tool#*:}"
  else
    echo "interop: install ${tool%:*} first: sudo apt-get install ${tool#*:}" >&2
    exit 1
  fi
done

folder=$(mktemp -d)
chmod 755 "$folder"
(cd "$folder" && DISPENSE_SERVER__ADMIN_LISTEN=127.0.0.1:0 exec "$program" serve --demo --sandbox --listen 127.0.0.1:0 --data "$folder/data" >shop.out 2>shop.log) &
shop=$!
trap 'kill $shop 2>/dev/null; wait $shop 2>/dev/null; rm -rf "$folder"' EXIT
for _ in $(seq 300); do
  address=$(sed -n 's/^listening on //p' "$folder/shop.out" 2>/dev/null || true)
  [ -n "$address" ] && break
  kill -0 $shop 2>/dev/null || { cat "$folder/shop.log" >&2; exit 1; }
  sleep 0.2
done
operators=$(sed -n 's/^figures on //p' "$folder/shop.out")
[ -n "$address" ] || { echo "interop: the shop did not start" >&2; exit 1; }

failed=0
node tests/interop/operations.mjs || failed=1
node tests/interop/audits.mjs "$address" || failed=1
node tests/interop/notices.mjs "$address" "$operators" "$folder/data" target/interop/bin/python || failed=1
target/interop/bin/python tests/interop/paypal_and_epay.py "$program" "$address" "$folder/data" || failed=1
{ target/interop/bin/python tests/interop/alipay_and_wechatpay.py "$program" "$folder" && node tests/interop/alipay_and_wechatpay.mjs "$program" "$folder/signed.json"; } || failed=1
mkdir "$folder/mail"
target/interop/bin/python tests/interop/mail.py "$program" "$folder/mail" || failed=1
node tests/interop/storefront.mjs "$address" || failed=1
node tests/interop/sandbox.mjs "$address" || failed=1
node tests/interop/hooks.mjs "$program" "$folder" target/interop/bin/python || failed=1
node tests/interop/live.mjs "$program" "$folder" || failed=1
tests/interop/figures.sh "$program" "$operators" "$folder" || failed=1
target/interop/bin/python tests/interop/slow.py "$address" || failed=1
exit $failed
