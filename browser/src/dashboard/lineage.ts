// Who got the app from whom, as `/lineage` tells it, and the part of it that is drawn. Bounded, however long it is looked at.

/** Stands for the origin where otherwise the number of a visit stands. */
export const ORIGIN = 0;

/** Stands for all visits that are not drawn one by one. */
export const EARLIER = -1;

/** Visits that are remembered: a few more than the server remembers. */
const VISITS_MAX = 600;

export interface Visit {
  ordinal: number;
  answer: 'full' | 'thin';
  page: string;
  seeding: boolean;
  left: boolean;
  dropped: boolean;
  /** Bytes by whom they came from. */
  sources: Map<number, number>;
}

interface ToldVisit extends Omit<Visit, 'sources'> {
  sources: { from: number; bytes: number }[];
}

export type LineageEvent =
  | { kind: 'joined'; ordinal: number; answer: 'full' | 'thin'; page: string }
  | { kind: 'linked'; ordinal: number; from: number }
  | { kind: 'bytes'; ordinal: number; from: number; bytes: number }
  | { kind: 'seeding' | 'left' | 'dropped'; ordinal: number };

export interface Picture {
  /** Visits by number, oldest first; [`EARLIER`] first if there is such, then [`ORIGIN`]. */
  nodes: number[];
  edges: { from: number; to: number; bytes: number }[];
  /** Visits that are not drawn one by one. */
  earlier: number;
}

export class Lineage {
  readonly visits = new Map<number, Visit>();

  /** Begins anew. */
  snapshot(visits: ToldVisit[]): void {
    this.visits.clear();
    for (const visit of visits) {
      this.visits.set(visit.ordinal, { ...visit, sources: new Map(visit.sources.map(({ from, bytes }) => [from, bytes])) });
    }
  }

  apply(event: LineageEvent): void {
    if (event.kind === 'joined') {
      const { ordinal, answer, page } = event;
      const known = this.visits.get(ordinal);
      this.visits.set(ordinal, { ordinal, answer, page, seeding: false, dropped: false, sources: new Map(), ...known, left: false });
      for (const oldest of this.visits.keys()) {
        if (this.visits.size <= VISITS_MAX) break;
        this.visits.delete(oldest);
      }
      return;
    }
    const visit = this.visits.get(event.ordinal);
    if (!visit) return;
    switch (event.kind) {
      case 'linked':
        visit.sources.set(event.from, visit.sources.get(event.from) ?? 0);
        break;
      case 'bytes':
        visit.sources.set(event.from, (visit.sources.get(event.from) ?? 0) + event.bytes);
        break;
      default:
        visit[event.kind] = true;
    }
  }

  /** Pages with visits, those of most visits first. */
  pages(): string[] {
    const counts = new Map<string, number>();
    for (const { page } of this.visits.values()) counts.set(page, (counts.get(page) ?? 0) + 1);
    return [...counts].sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1)).map(([page]) => page);
  }

  /** Visits to a page, or to any: the latest `max` one by one, all before them as one. */
  picture(page: string, max: number): Picture {
    const all = [...this.visits.values()].filter((visit) => !page || visit.page === page).sort((a, b) => a.ordinal - b.ordinal);
    const drawn = all.slice(-max);
    const shown = new Set(drawn.map(({ ordinal }) => ordinal));
    const earlier = all.length - drawn.length;
    const edges = new Map<string, { from: number; to: number; bytes: number }>();
    for (const { ordinal, sources } of drawn) {
      for (const [from, bytes] of sources) {
        if (from !== ORIGIN && !shown.has(from) && earlier === 0) continue;
        const source = from === ORIGIN || shown.has(from) ? from : EARLIER;
        const edge = edges.get(`${source} ${ordinal}`);
        if (edge) edge.bytes += bytes;
        else edges.set(`${source} ${ordinal}`, { from: source, to: ordinal, bytes });
      }
    }
    return { nodes: [...(earlier > 0 ? [EARLIER] : []), ORIGIN, ...drawn.map(({ ordinal }) => ordinal)], edges: [...edges.values()], earlier };
  }

  /** What the picture shows, for whoever does not see it. */
  summary(page: string): string {
    const visits = [...this.visits.values()].filter((visit) => (!page || visit.page === page) && !visit.left);
    const seeding = visits.filter((visit) => visit.seeding).length;
    let fromPeers = 0;
    let fromOrigin = 0;
    for (const { sources } of visits) {
      for (const [from, bytes] of sources) {
        if (from === ORIGIN) fromOrigin += bytes;
        else fromPeers += bytes;
      }
    }
    const share = fromPeers + fromOrigin > 0 ? `; ${Math.round((100 * fromPeers) / (fromPeers + fromOrigin))} % of what they took came from each other` : '';
    return `${visits.length} of the latest visitors are here, ${seeding} of them give to others${share}.`;
  }
}
