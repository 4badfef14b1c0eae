// The plots over time, each with a table of the same numbers for whoever does not see it.

import uPlot from 'uplot';
import { bytes, count } from './format';
import type { Point } from './overview';
import type { Columns, Series } from './series';

interface Line {
  label: string;
  /** Custom property of the style sheet that has its colour. */
  color: string;
  value: (point: Point) => number;
}

interface PlotOptions {
  id: string;
  /** Lines stand on each other. */
  stacked: boolean;
  show: (value: number) => string;
  lines: Line[];
}

const perSecond = (value: (point: Point) => number) => (point: Point) => (1000 * value(point)) / Math.max(1, point.length_ms);
const perMinute = (value: (point: Point) => number) => (point: Point) => (60_000 * value(point)) / Math.max(1, point.length_ms);
const rate = (value: number) => `${bytes(value)}/s`;
const visits = (value: number) => (value >= 10 || Number.isInteger(value) ? count(value) : value.toFixed(1));

const PLOTS: PlotOptions[] = [
  {
    id: 'traffic',
    stacked: true,
    show: rate,
    lines: [
      { label: 'from visitors', color: '--peers', value: perSecond((point) => point.peer_bytes) },
      { label: 'from the origin', color: '--origin', value: perSecond((point) => point.origin_bytes) },
    ],
  },
  {
    id: 'answers',
    stacked: true,
    show: visits,
    lines: [
      { label: 'thin', color: '--thin', value: perMinute((point) => point.thin) },
      { label: 'full', color: '--full', value: perMinute((point) => point.full) },
      { label: 'plain', color: '--plain', value: perMinute((point) => point.plain) },
    ],
  },
  { id: 'sessions', stacked: false, show: visits, lines: [{ label: 'connected visitors', color: '--peers', value: (point) => point.sessions }] },
  {
    id: 'connects',
    stacked: true,
    show: visits,
    lines: [
      { label: 'opened', color: '--thin', value: perMinute((point) => point.opened) },
      { label: 'failed', color: '--bad', value: perMinute((point) => point.failed) },
    ],
  },
];

/** The time of day at a second of the clock. */
const clock = (at: number, withSeconds: boolean) =>
  new Date(at * 1000).toLocaleTimeString('en-GB', { hour: '2-digit', minute: '2-digit', ...(withSeconds ? { second: '2-digit' } : {}) });

/** Rows of a table: as many as somebody reads. */
const ROWS_MAX = 12;

const HEIGHT = 200;

export class Plots {
  private plots: Plot[] = [];

  constructor() {
    this.plots = PLOTS.map((options) => new Plot(options));
    const again = () => {
      for (const plot of this.plots) plot.restyle();
    };
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', again);
    new ResizeObserver(again).observe(document.body);
  }

  show(series: Series, points: Point[]): void {
    for (const plot of this.plots) plot.show(series, points);
  }
}

class Plot {
  private readonly place: HTMLElement;
  private plot: uPlot | undefined;
  private columns: Columns = [[]];

  private readonly options: PlotOptions;

  constructor(options: PlotOptions) {
    this.options = options;
    this.place = document.querySelector(`#${options.id} .plot`) as HTMLElement;
  }

  show(series: Series, points: Point[]): void {
    const { lines } = this.options;
    this.columns = series.columns(
      points,
      Date.now(),
      lines.map(({ value }) => value),
    );
    const last = points.at(-1);
    const said = last ? lines.map(({ label, value }) => `${label} ${this.options.show(value(last))}`).join(', ') : 'no numbers yet';
    this.place.setAttribute('aria-label', `Now: ${said}`);
    if (this.plot) this.plot.setData(this.data());
    else this.restyle();
    this.table();
  }

  /** What is drawn: of lines that stand on each other the sums. */
  private data(): uPlot.AlignedData {
    const [times, ...lines] = this.columns;
    if (!this.options.stacked) return this.columns;
    const sums: number[][] = [];
    for (const line of lines) sums.push(line.map((value, at) => value + (sums.at(-1)?.[at] ?? 0)));
    // The highest is drawn first, so that each is seen below the one before.
    return [times, ...sums.reverse()];
  }

  restyle(): void {
    if (this.columns[0].length === 0) return;
    const { lines, stacked, show } = this.options;
    const style = getComputedStyle(document.documentElement);
    const color = (name: string) => style.getPropertyValue(name).trim();
    const drawn = stacked ? [...lines].reverse() : lines;
    const axis = { stroke: color('--muted'), grid: { stroke: color('--rule'), width: 1 }, ticks: { show: false } };
    this.plot?.destroy();
    const original = (at: number | null, line: number) => (at === null ? '–' : show(this.columns[line + 1]?.[at] ?? 0));
    this.plot = new uPlot(
      {
        width: Math.max(240, this.place.clientWidth),
        height: HEIGHT,
        series: [
          { value: '{HH}:{mm}:{ss}' },
          ...drawn.map(({ label, color: name }) => ({
            label,
            stroke: color(name),
            ...(stacked ? { fill: color(`${name}-area`) } : {}),
            width: 1.5,
            points: { show: false },
            value: (_: uPlot, __: number, ___: number, at: number | null) => original(at, lines.findIndex((line) => line.label === label)),
          })),
        ],
        axes: [
          { ...axis, values: (_, splits, __, ___, step) => splits.map((at) => clock(at, step < 60)), space: 80 },
          { ...axis, values: (_, splits) => splits.map(show), size: 68 },
        ],
        scales: { y: { range: (_, __, max) => [0, max > 0 ? max * 1.05 : 1] } },
        cursor: { y: false, drag: { x: false, y: false } },
      },
      this.data(),
      this.place,
    );
  }

  /** The same in words, a few moments of it. */
  private table(): void {
    const body = document.querySelector(`#${this.options.id} tbody`);
    const details = document.querySelector(`#${this.options.id} details`) as HTMLDetailsElement | null;
    if (!body || !details?.open) return;
    const [times, ...lines] = this.columns;
    const step = Math.max(1, Math.ceil(times.length / ROWS_MAX));
    const rows: HTMLTableRowElement[] = [];
    for (let at = times.length - 1; at >= 0; at -= step) {
      const row = document.createElement('tr');
      const moment = new Date((times[at] ?? 0) * 1000).toLocaleTimeString('en-GB');
      for (const text of [moment, ...lines.map((line) => this.options.show(line[at] ?? 0))]) {
        const cell = document.createElement('td');
        cell.textContent = text;
        row.append(cell);
      }
      rows.push(row);
    }
    body.replaceChildren(...rows);
  }
}
