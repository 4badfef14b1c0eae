#!/usr/bin/env bash
# Run: puppeteer-core 24.30.0 (npm) with Debian's chromium (156.0.8078.108) and firefox-esr (153.8.0).
#   The visitor lets no site keep anything: in Chromium the content setting for cookies is "block"
#   (`profile.default_content_setting_values.cookies` 2), in Firefox `network.cookie.cookieBehavior` is 2.
#   A page on 127.0.0.1 reads `navigator.cookieEnabled`, sets a cookie, and tries the other stores.
# Expected: false in both. HTML has cookieEnabled true if the user agent attempts to handle cookies, and
#   false if it ignores cookie change requests.
# Seen:
#   Chrome/156.0.8078.108 cookieEnabled true, cookie kept false, localStorage SecurityError, worker NotSupportedError
#   firefox/153.8.0 cookieEnabled false, cookie kept false, localStorage SecurityError, worker SecurityError
# Means for us: the loader does not ask cookieEnabled. It touches localStorage, which both refuse at once,
#   and leads to the plain page before anything was fetched (`keepsAnything` in browser/src/loader.ts).
set -euo pipefail
for need in node npm chromium firefox-esr; do
  command -v "$need" >/dev/null || { echo "missing: $need"; exit 3; }
done
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export TMPDIR="$work"
cd "$work"
echo '{"private":true,"type":"module"}' >package.json
timeout 180 npm install --silent --no-audit --no-fund --ignore-scripts --save-exact puppeteer-core@24.30.0
cat >run.js <<'JS'
import { mkdirSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import puppeteer from 'puppeteer-core';

const server = http.createServer((request, response) => {
  response.writeHead(200, { 'content-type': 'text/html' }).end('<!doctype html><title>page</title>');
});
await new Promise((done) => server.listen(0, '127.0.0.1', done));

const look = async () => {
  const seen = { enabled: navigator.cookieEnabled };
  document.cookie = 'a=b';
  seen.kept = document.cookie.includes('a=b');
  try {
    localStorage.length;
    seen.localStorage = 'open';
  } catch (error) {
    seen.localStorage = error.name;
  }
  try {
    await navigator.serviceWorker.register('/worker.js');
    seen.worker = 'registered';
  } catch (error) {
    seen.worker = error.name;
  }
  return seen;
};

async function visit(options) {
  const browser = await puppeteer.launch({ headless: true, ...options });
  const page = await browser.newPage();
  await page.goto(`http://127.0.0.1:${server.address().port}/`);
  const seen = await page.evaluate(look);
  const version = await browser.version();
  await browser.close();
  return { version, ...seen };
}

mkdirSync('profile/Default', { recursive: true });
writeFileSync('profile/Default/Preferences', JSON.stringify({ profile: { default_content_setting_values: { cookies: 2 } } }));
const chrome = await visit({
  executablePath: '/usr/bin/chromium',
  userDataDir: 'profile',
  args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking'],
});
const firefox = await visit({
  browser: 'firefox',
  executablePath: '/usr/bin/firefox-esr',
  extraPrefsFirefox: { 'network.cookie.cookieBehavior': 2 },
});
server.close();
for (const seen of [chrome, firefox]) {
  console.log(`${seen.version} cookieEnabled ${seen.enabled}, cookie kept ${seen.kept}, localStorage ${seen.localStorage}, worker ${seen.worker}`);
}
const blocked = [chrome, firefox].every(({ kept, localStorage }) => !kept && localStorage === 'SecurityError');
if (!blocked || chrome.enabled !== true || firefox.enabled !== false) {
  console.error('this changed');
  process.exit(1);
}
JS
timeout 120 node run.js
