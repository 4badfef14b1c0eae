// The dashboard of an operator: `/` on the admin address.

import { Plots } from './dashboard/plots';
import { LoggedOut, type Overview, overviewOf, sitesOf } from './dashboard/overview';
import { Series } from './dashboard/series';
import { Swarm } from './dashboard/swarm';
import { show } from './dashboard/tables';
import { duration } from './dashboard/format';

/** How often the numbers are asked for, in milliseconds, while somebody looks. */
const POLL_MS = 2_000;

/** The same after a failure: twice as long each time, up to this. */
const RETRY_MAX_MS = 30_000;

const status = document.getElementById('status') as HTMLElement;
const picker = document.getElementById('site') as HTMLSelectElement;
const spans = [...document.querySelectorAll<HTMLInputElement>('input[name=span]')];
const plots = new Plots();
const swarm = new Swarm();
let series = new Series();
let latest: Overview | undefined;
let timer: number | undefined;
let waitMs = POLL_MS;
/** Of which site and when the numbers were asked for: an answer that comes after another choice is dropped. */
let round = 0;

const spanPoints = () => (spans.find(({ checked }) => checked)?.value === 'day' ? series.day : series.hour);

function say(text: string, isBad: boolean): void {
  if (status.textContent !== text) status.textContent = text;
  status.className = isBad ? 'bad' : 'good';
}

async function poll(): Promise<void> {
  window.clearTimeout(timer);
  const asked = ++round;
  try {
    const overview = await overviewOf(picker.value, series.sinceMs);
    if (asked !== round) return;
    series.add(overview);
    latest = overview;
    waitMs = POLL_MS;
    show(overview, series);
    plots.show(series, spanPoints());
    say(`live, up for ${duration(overview.uptime_s)}`, false);
  } catch (error) {
    if (error instanceof LoggedOut) return location.reload();
    if (asked !== round) return;
    waitMs = Math.min(RETRY_MAX_MS, 2 * waitMs);
    say(latest ? 'the server does not answer; these are its last numbers' : 'the server does not answer', true);
  }
  if (!document.hidden) timer = window.setTimeout(poll, waitMs);
}

function open(): void {
  series = new Series();
  latest = undefined;
  swarm.open(picker.value);
  void poll();
}

async function choices(): Promise<void> {
  const hosts = await sitesOf().catch((): string[] => []);
  if (hosts.length === 0) return;
  picker.replaceChildren(...hosts.map((host) => new Option(host, host)));
  const wanted = decodeURIComponent(location.hash.slice(1));
  picker.value = hosts.includes(wanted) ? wanted : (hosts[0] ?? '');
  (picker.closest('label') as HTMLElement).hidden = false;
  picker.addEventListener('change', () => {
    history.replaceState(null, '', `#${encodeURIComponent(picker.value)}`);
    open();
  });
}

for (const span of spans) span.addEventListener('change', () => latest && plots.show(series, spanPoints()));
for (const details of document.querySelectorAll('details')) details.addEventListener('toggle', () => latest && plots.show(series, spanPoints()));

// Nobody looks: nothing is asked for.
document.addEventListener('visibilitychange', () => {
  if (document.hidden) {
    window.clearTimeout(timer);
    swarm.close();
  } else {
    swarm.open(picker.value);
    void poll();
  }
});

void choices().then(open);
