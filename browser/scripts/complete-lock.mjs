// node scripts/complete-lock.mjs FOLDER: adds to package-lock.json the optional packages of other platforms that a partial npm registry leaves out; `npm ci` refuses a lock without them.
import { readFileSync, writeFileSync } from 'node:fs';
const path = `${process.argv[2]}/package-lock.json`;
const lock = JSON.parse(readFileSync(path, 'utf8'));
const OS = ['android', 'darwin', 'freebsd', 'linux', 'netbsd', 'openbsd', 'openharmony', 'sunos', 'win32', 'aix'];
const CPU = ['arm64', 'x64', 'arm', 'ia32', 'loong64', 'ppc64', 'riscv64', 's390x', 'mips64el'];
let added = 0;
for (const [at, entry] of Object.entries({ ...lock.packages })) {
  for (const [name, version] of Object.entries(entry.optionalDependencies ?? {})) {
    const here = `node_modules/${name}`;
    const words = name.split(/[-/]/);
    const os = OS.find((os) => words.includes(os));
    if (lock.packages[here] || lock.packages[`${at}/${here}`] || !os) continue;
    if (!/^\d/.test(version)) throw new Error(`${name}@${version} is a range`);
    const cpu = CPU.find((cpu) => words.includes(cpu)) ?? words.find((word) => /^(arm|ppc|riscv|s390|loong|wasm)/.test(word));
    const libc = words.includes('musl') ? { libc: ['musl'] } : words.includes('gnu') && os === 'linux' ? { libc: ['glibc'] } : {};
    lock.packages[here] = { version, ...(cpu ? { cpu: [cpu] } : {}), ...(entry.dev ? { dev: true } : {}), ...libc, optional: true, os: [os] };
    added += 1;
  }
}
lock.packages = Object.fromEntries(Object.entries(lock.packages).sort(([a], [b]) => (a < b ? -1 : 1)));
writeFileSync(path, `${JSON.stringify(lock, null, 2)}\n`);
console.log(`added ${added}`);
