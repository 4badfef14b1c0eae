// Follows who got the app from whom: the server's anonymous event stream, kept as a map of visits.

const VISITS_MAX = 512;

/**
 * The visits known so far. A visit: ordinal, answer, sources [{from, bytes}] (from 0 = the server), bytes, fromPeers, seeding, left, dropped, you;
 * seenAt and changedAt in this page's ms.
 */
export class Travel extends EventTarget {
  /** 'waiting' until the first word, 'live', 'lost' while reconnecting, or 'absent' where the server does not tell. */
  state = 'waiting';
  #visits = new Map();
  #own = null;

  get visits() {
    return [...this.#visits.values()];
  }

  /** Marks the visit that is this very page, once it is known. */
  set own(ordinal) {
    if (this.#own === ordinal || ordinal === null) return;
    this.#own = ordinal;
    for (const visit of this.#visits.values()) visit.you = visit.ordinal === ordinal;
    this.#changed();
  }

  /** Who this page is, from its own status: told outright, or the only visit here that began as this one did. */
  recognise(status) {
    if (Number.isInteger(status?.ordinal)) this.own = status.ordinal;
    if (this.#own !== null || !Number.isInteger(status?.peer)) return;
    const alike = this.visits.filter((visit) => !visit.left && visit.answer === status.answer);
    if (alike.length === 1) this.own = alike[0].ordinal;
  }

  /** Starts listening; again after a return from the back/forward cache, in which the page keeps nothing open. */
  follow() {
    const worker = new Worker('/js/lineage-worker.js');
    worker.onmessage = ({ data }) => (data.kind === 'said' ? this.#hear(data.text) : this.#become(data.state));
    worker.onerror = () => this.#become('absent');
    addEventListener('pagehide', () => worker.terminate(), { once: true });
    addEventListener('pageshow', (event) => event.persisted && this.follow(), { once: true });
  }

  #become(state) {
    if (this.state === state) return;
    this.state = state;
    this.#changed();
  }

  #changed() {
    this.dispatchEvent(new Event('change'));
  }

  #hear(text) {
    let said;
    try {
      said = JSON.parse(text);
    } catch {
      return;
    }
    const snapshot = Array.isArray(said) ? said : said.visits;
    if (snapshot) this.#replace(snapshot);
    else if (said.kind) this.#apply(said);
    this.state = 'live';
    this.#changed();
  }

  #replace(snapshot) {
    const before = this.#visits;
    this.#visits = new Map();
    for (const visit of snapshot) {
      const known = before.get(visit.ordinal);
      this.#visits.set(visit.ordinal, this.#complete({ ...visit, seenAt: known?.seenAt ?? -1e9, changedAt: known?.changedAt ?? -1e9 }));
    }
  }

  #complete(visit) {
    visit.sources ??= [];
    visit.bytes = visit.sources.reduce((sum, source) => sum + source.bytes, 0);
    visit.fromPeers = visit.sources.reduce((sum, source) => sum + (source.from ? source.bytes : 0), 0);
    visit.you = visit.ordinal === this.#own;
    return visit;
  }

  #apply(event) {
    const now = performance.now();
    if (event.kind === 'joined') {
      const known = this.#visits.get(event.ordinal);
      const fresh = { ...event, sources: [], seeding: false, dropped: false, seenAt: now };
      this.#visits.set(event.ordinal, this.#complete({ ...(known ?? fresh), left: false, changedAt: now }));
      while (this.#visits.size > VISITS_MAX) this.#visits.delete(this.#visits.keys().next().value);
      return;
    }
    const visit = this.#visits.get(event.ordinal);
    if (!visit) return;
    visit.changedAt = now;
    if (event.kind === 'bytes') {
      const source = visit.sources.find((known) => known.from === event.from);
      if (source) source.bytes += event.bytes;
      else visit.sources.push({ from: event.from, bytes: event.bytes });
      this.#complete(visit);
    } else if (event.kind === 'seeding') visit.seeding = true;
    else if (event.kind === 'left') visit.left = true;
    else if (event.kind === 'dropped') visit.dropped = true;
  }
}

/** The visit that gave a visit most of its bytes; 0 for the server. */
export function parent(visit) {
  let [best, most] = [0, 0];
  for (const { from, bytes } of visit.sources) {
    if (from !== 0 && bytes > most) [best, most] = [from, bytes];
  }
  return best;
}

/** Visits in the order of a tree, each with its depth; a visit whose parent is forgotten stands at the root. */
export function tree(visits) {
  const known = new Map(visits.map((visit) => [visit.ordinal, visit]));
  const children = new Map();
  for (const visit of visits) {
    const from = parent(visit);
    const root = known.has(from) && from < visit.ordinal ? from : 0;
    children.set(root, [...(children.get(root) ?? []), visit]);
  }
  const ordered = [];
  const walk = (ordinal, depth) => {
    for (const visit of children.get(ordinal) ?? []) {
      ordered.push({ visit, depth });
      walk(visit.ordinal, depth + 1);
    }
  };
  walk(0, 0);
  return ordered;
}
