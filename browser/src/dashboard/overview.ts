// What `/overview` answers (`crates/server/src/admin/overview.rs`), and how it is asked for.

/** One step of time: what happened in it. */
export interface Point {
  /** When it ended, in milliseconds of the server's clock. */
  end_ms: number;
  length_ms: number;
  sessions: number;
  full: number;
  thin: number;
  plain: number;
  origin_bytes: number;
  peer_bytes: number;
  opened: number;
  failed: number;
  bans: number;
  refused: number;
}

export type Counters = Omit<Point, 'end_ms' | 'length_ms' | 'sessions'>;

/** What one answer's visitors waited for the app, within the last hour. */
export interface Times {
  visits: number;
  p50_ms: number | null;
  p95_ms: number | null;
}

export interface Alert {
  severity: 'warning' | 'notice';
  kind: string;
  says: string;
  todo: string;
}

export interface Arm {
  visits: number;
  app_ms_p50: number | null;
  app_ms_p95: number | null;
  origin_bytes_p50: number | null;
}

export interface Trial {
  page: string;
  browser: string;
  thin_answers: string;
  again_s: number | null;
  against: string | null;
  thin: Arm;
  full: Arm;
  holdout: Arm;
}

export interface Page {
  page: string;
  set_bytes: number;
  seeders: number;
  peer_bytes: number;
  origin_bytes: number;
  from_origin: { path: string; bytes: number; why: string }[];
}

export interface Overview {
  now_ms: number;
  uptime_s: number;
  version: { tag: string; since_s: number; ready: number; ready_older: number };
  counted: Counters;
  sessions: number;
  ready: number;
  thin_visits: number;
  reasons: Record<string, Record<string, number>>;
  origin_bytes: Record<string, number>;
  tiers: Record<string, number>;
  matches: { offered: number; answered: number; opened: number; failed: number };
  connect_failures: Record<string, number>;
  times: Record<'full' | 'thin' | 'plain', Times>;
  reached: { visitors: number; unreached: number };
  alerts: Alert[];
  pages: Page[];
  pays: { trials: Trial[]; shadow: { thin: number; full: number } };
  cluster: null | { server: number; connected: boolean; waiting: string | null; servers: { server: number; own: boolean; version: string; sessions: number }[] };
  hour: Point[];
  day: Point[];
}

/** How long one answer is waited for, in milliseconds. */
const ANSWER_TIMEOUT_MS = 10_000;

/** The address of an endpoint, for one of several sites. */
export function addressOf(path: string, site: string, more: Record<string, string> = {}): string {
  const query = new URLSearchParams(site ? { site, ...more } : more).toString();
  return query ? `${path}?${query}` : path;
}

/** The hosts of the sites where there are several, else none. */
export async function sitesOf(): Promise<string[]> {
  const response = await fetch('/sites', { signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS) });
  return response.ok ? response.json() : [];
}

/** Whoever asks must log in again. */
export class LoggedOut extends Error {}

/** The numbers of now, and points that ended after `sinceMs`. */
export async function overviewOf(site: string, sinceMs: number): Promise<Overview> {
  const address = addressOf('/overview', site, sinceMs ? { since: String(sinceMs) } : {});
  const response = await fetch(address, { signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS) });
  if (response.status === 401) throw new LoggedOut();
  if (!response.ok) throw new Error(`${response.status} ${(await response.text()).trim()}`);
  return response.json();
}
