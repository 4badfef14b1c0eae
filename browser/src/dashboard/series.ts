// Points of time, kept as long as the server keeps them, and as the plots want them.

import type { Counters, Overview, Point } from './overview';

/** As many as the server keeps (`swarm::limits::HOUR_POINTS`, `DAY_POINTS`). */
const HOUR_POINTS = 240;
const DAY_POINTS = 288;

/** Columns, oldest first: seconds of this browser's clock, then one value for each moment. */
export type Columns = [number[], ...number[][]];

/** The hour and the day of one site. */
export class Series {
  hour: Point[] = [];
  day: Point[] = [];
  /** The server's clock at the last answer, in milliseconds. */
  nowMs = 0;

  /** From where on points are asked for, in the server's clock. */
  get sinceMs(): number {
    return Math.min(lastOf(this.hour), lastOf(this.day) || Number.POSITIVE_INFINITY);
  }

  /** Adds what is new. A server that began anew has another clock, and all before is forgotten. */
  add({ now_ms, hour, day }: Pick<Overview, 'now_ms' | 'hour' | 'day'>): void {
    if (now_ms < this.nowMs) {
      this.hour = [];
      this.day = [];
    }
    this.nowMs = now_ms;
    this.hour = merged(this.hour, hour, HOUR_POINTS);
    this.day = merged(this.day, day, DAY_POINTS);
  }

  /** What was counted within the last `ms` milliseconds of the hour. */
  recent(ms: number): Counters {
    return sum(this.hour.filter(({ end_ms }) => end_ms > this.nowMs - ms));
  }

  /** The columns of some values of the points. */
  columns(points: Point[], clockMs: number, values: ((point: Point) => number)[]): Columns {
    return [points.map(({ end_ms }) => (clockMs - this.nowMs + end_ms) / 1000), ...values.map((value) => points.map(value))];
  }
}

const lastOf = (points: Point[]) => points.at(-1)?.end_ms ?? 0;

function merged(known: Point[], more: Point[], max: number): Point[] {
  const last = lastOf(known);
  return [...known, ...more.filter(({ end_ms }) => end_ms > last)].slice(-max);
}

/** All of them together. */
export function sum(points: Point[]): Counters {
  const total: Counters = { full: 0, thin: 0, plain: 0, origin_bytes: 0, peer_bytes: 0, opened: 0, failed: 0, bans: 0, refused: 0 };
  for (const point of points) {
    for (const name of Object.keys(total) as (keyof Counters)[]) total[name] += point[name];
  }
  return total;
}
