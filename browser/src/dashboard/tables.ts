// Tiles, alerts and tables: everything that is text. What visitors or hosts named is set as text, never as markup.

import { bytes, count, duration, percent, time } from './format';
import type { Overview, Trial } from './overview';
import type { Series } from './series';
import { sum } from './series';
import * as words from './words';

type Cell = string | { text: string; title: string };

const byId = (id: string) => document.getElementById(id) as HTMLElement;

function text(id: string, value: string): void {
  const place = byId(id);
  if (place.textContent !== value) place.textContent = value;
}

/** Fills the body of a table; what is the same stays, so that whoever reads is not thrown out. */
function table(id: string, rows: Cell[][], none: string): void {
  const key = JSON.stringify(rows);
  const body = byId(id).querySelector('tbody') as HTMLElement;
  if (body.dataset.key === key) return;
  body.dataset.key = key;
  const made = rows.map((cells) => {
    const row = document.createElement('tr');
    cells.forEach((cell, at) => {
      const place = document.createElement(at === 0 ? 'th' : 'td');
      if (at === 0) (place as HTMLTableCellElement).scope = 'row';
      place.textContent = typeof cell === 'string' ? cell : cell.text;
      if (typeof cell !== 'string') place.title = cell.title;
      row.append(place);
    });
    return row;
  });
  if (made.length === 0) {
    const row = document.createElement('tr');
    const place = document.createElement('td');
    place.colSpan = 9;
    place.className = 'none';
    place.textContent = none;
    row.append(place);
    made.push(row);
  }
  body.replaceChildren(...made);
}

/** Tokens and counts, the greatest first; of zeros none. */
function greatest(counts: Record<string, number>): [string, number][] {
  return Object.entries(counts)
    .filter(([, value]) => value > 0)
    .sort(([, a], [, b]) => b - a);
}

export function show(overview: Overview, series: Series): void {
  tiles(overview, series);
  alerts(overview);
  answers(overview);
  times(overview);
  connections(overview);
  pages(overview);
  versions(overview);
  pays(overview);
}

function tiles({ counted, uptime_s, sessions, ready, times: { thin, full } }: Overview, series: Series): void {
  const minute = series.recent(60_000);
  text('offload-now', percent(minute.peer_bytes, minute.peer_bytes + minute.origin_bytes));
  text('offload-now-of', `of ${bytes(minute.peer_bytes + minute.origin_bytes)} within the last minute`);
  // Of a day or, if the server is younger, since its start.
  const day = uptime_s < 86_400 ? counted : sum(series.day);
  const since = uptime_s < 86_400 ? `since the start, ${duration(uptime_s)} ago` : 'within the last day';
  text('saved', bytes(day.peer_bytes));
  text('saved-of', `${percent(day.peer_bytes, day.peer_bytes + day.origin_bytes)} of all bytes ${since}`);
  text('connected', count(sessions));
  text('connected-of', `${count(ready)} could give to one more now`);
  text('app-thin', time(thin.p50_ms));
  text('app-thin-of', full.p50_ms === null ? 'median of thin visits, last hour' : `median of thin visits; of full ones ${time(full.p50_ms)}`);
}

function alerts({ alerts: found }: Overview): void {
  const list = byId('alerts').querySelector('ul') as HTMLElement;
  const key = JSON.stringify(found);
  if (list.dataset.key === key) return;
  list.dataset.key = key;
  const items = found.map(({ severity, says, todo }) => {
    const item = document.createElement('li');
    item.className = severity;
    const [badge, what, then] = [document.createElement('strong'), document.createElement('span'), document.createElement('p')];
    badge.textContent = severity === 'warning' ? 'Warning' : 'Note';
    what.textContent = says;
    then.textContent = todo;
    item.append(badge, ' ', what, then);
    return item;
  });
  list.replaceChildren(...items);
  text('alerts-none', found.length === 0 ? 'Nothing needs you.' : '');
}

function answers({ reasons }: Overview): void {
  const all = Object.entries(reasons).flatMap(([answer, of]) => Object.entries(of).map(([reason, n]) => ({ answer, reason, n })));
  const total = all.reduce((most, { n }) => most + n, 0);
  const rows = all
    .sort((a, b) => b.n - a.n)
    .map(({ answer, reason, n }): Cell[] => [answer, words.reason(reason), reason, count(n), percent(n, total)]);
  table('reasons', rows, 'No page has been asked for yet.');
}

function times({ times: of }: Overview): void {
  const rows = (['thin', 'full', 'plain'] as const).map((kind): Cell[] => {
    const { visits, p50_ms, p95_ms } = of[kind];
    return [kind, time(p50_ms), time(p95_ms), count(visits)];
  });
  table('times', rows, '');
}

function connections({ tiers, matches, connect_failures, reached }: Overview): void {
  const total = Object.values(tiers).reduce((all, n) => all + n, 0);
  table(
    'tiers',
    Object.entries(tiers)
      .filter(([, n]) => n > 0)
      .map(([tier, n]) => [words.tier(tier), count(n), percent(n, total)]),
    'Nobody has been introduced yet.',
  );
  const failures = greatest(connect_failures);
  table(
    'failures',
    failures.map(([cause, n]) => [words.cause(cause), count(n), percent(n, matches.failed)]),
    'No connection has failed.',
  );
  const done = matches.opened + matches.failed;
  text('connects-of', `${count(matches.opened)} of ${count(done)} connections opened (${percent(matches.opened, done)}).`);
  text('reached-of', `${count(reached.unreached)} of ${count(reached.visitors)} thin visitors of the last hour reached nobody.`);
}

function pages({ pages: found, origin_bytes }: Overview): void {
  const rows = found.map((page): Cell[] => {
    const most = page.from_origin[0];
    const asset: Cell = most ? { text: `${most.path}: ${bytes(most.bytes)}, ${words.why(most.why)}`, title: most.path } : '–';
    const carried = percent(page.peer_bytes, page.peer_bytes + page.origin_bytes);
    return [{ text: page.page, title: page.page }, bytes(page.origin_bytes), bytes(page.peer_bytes), carried, count(page.seeders), asset];
  });
  table('pages', rows, 'No page has been asked for yet.');
  const total = Object.values(origin_bytes).reduce((all, n) => all + n, 0);
  table(
    'sent',
    greatest(origin_bytes).map(([cause, n]) => [words.sent(cause), bytes(n), percent(n, total)]),
    'Nothing has been sent yet.',
  );
}

function versions({ version, cluster }: Overview): void {
  const { tag, since_s, ready, ready_older } = version;
  const holders = ready_older > 0 ? `${count(ready)} visitors give it, ${count(ready_older)} still hold an older one` : `${count(ready)} visitors give it`;
  text('version', `Version ${tag || '–'} for ${duration(since_s)}: ${holders}.`);
  const place = byId('cluster');
  place.hidden = cluster === null;
  if (cluster) {
    const rows = cluster.servers.map(({ server, own, version: served, sessions }): Cell[] => [`${server}${own ? ' (this one)' : ''}`, served, count(sessions)]);
    table('cluster', rows, '');
  }
}

function pays({ pays: { trials, shadow } }: Overview): void {
  const rows = trials.map((trial): Cell[] => {
    const state = trial.thin_answers === 'off' ? `off: ${words.against(trial.against ?? '')}; again in ${duration(trial.again_s ?? 0)}` : trial.thin_answers;
    const full = trial.holdout.visits > trial.full.visits ? trial.holdout : trial.full;
    return [{ text: trial.page, title: trial.page }, trial.browser, arm(trial.thin), arm(full), origin(trial), state];
  });
  table('pays', rows, 'Too few visits have told when the app was there.');
  const counted = shadow.thin + shadow.full;
  text('shadow', counted > 0 ? `In mode shadow ${percent(shadow.thin, counted)} of ${count(counted)} visits would have been thin.` : '');
}

const arm = ({ app_ms_p50, app_ms_p95, visits }: Trial['thin']) => `${time(app_ms_p50)} / ${time(app_ms_p95)} (${count(visits)})`;

function origin({ thin, full }: Trial): string {
  if (thin.origin_bytes_p50 === null || full.origin_bytes_p50 === null) return '–';
  return `${bytes(thin.origin_bytes_p50)} / ${bytes(full.origin_bytes_p50)}`;
}
