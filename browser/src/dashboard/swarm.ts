// The swarm as a graph that moves: visitors, and who gave to whom.

import { forceCollide, forceLink, forceManyBody, forceSimulation, forceX, forceY, type Simulation } from 'd3-force';
import { EARLIER, Lineage, type LineageEvent, ORIGIN } from './lineage';
import { addressOf } from './overview';

/** Visitors that are drawn one by one. */
const DRAWN_MAX = 150;

/** The picture is made anew this often at most, in milliseconds. */
const REDRAW_MS = 500;

/** What is said of it to whoever does not see it is said anew this often, in milliseconds. */
const SAY_MS = 5_000;

/** How long after a refusal it is asked again, in milliseconds. */
const AGAIN_MS = 10_000;

interface Node {
  id: number;
  x?: number;
  y?: number;
}

interface Edge {
  source: Node;
  target: Node;
  bytes: number;
}

export class Swarm {
  private readonly lineage = new Lineage();
  private readonly canvas = document.querySelector('#swarm canvas') as HTMLCanvasElement;
  private readonly picker = document.querySelector('#swarm select') as HTMLSelectElement;
  private readonly said = document.querySelector('#swarm .summary') as HTMLElement;
  private readonly nodes = new Map<number, Node>();
  private edges: Edge[] = [];
  private earlier = 0;
  private events: EventSource | undefined;
  private due: number | undefined;
  private again: number | undefined;
  private saidAt = 0;
  private readonly links = forceLink<Node, Edge>([]).distance(34).strength(0.3);
  private readonly simulation: Simulation<Node, Edge>;
  private readonly still = matchMedia('(prefers-reduced-motion: reduce)');

  constructor() {
    this.simulation = forceSimulation<Node, Edge>([])
      .force('link', this.links)
      .force('charge', forceManyBody().strength(-28))
      .force('x', forceX(0).strength(0.06))
      .force('y', forceY(0).strength(0.09))
      .force('room', forceCollide(9))
      .on('tick', () => this.draw());
    this.picker.addEventListener('change', () => this.redraw());
    new ResizeObserver(() => this.draw()).observe(this.canvas);
  }

  /** Shows a site's; what was shown is forgotten. */
  open(site: string): void {
    this.close();
    this.lineage.snapshot([]);
    this.events = new EventSource(addressOf('/lineage', site));
    this.events.addEventListener('snapshot', (event) => {
      this.lineage.snapshot(JSON.parse(event.data).visits);
      this.later();
    });
    // A browser tries again by itself where the connection was lost, and not where it was refused.
    this.events.addEventListener('error', () => {
      if (this.events?.readyState !== EventSource.CLOSED) return;
      this.said.textContent = 'The server tells nobody else who got it from whom now; it is asked again.';
      this.again = window.setTimeout(() => this.open(site), AGAIN_MS);
    });
    this.events.addEventListener('message', (event) => {
      this.lineage.apply(JSON.parse(event.data) as LineageEvent);
      this.later();
    });
  }

  /** Nobody looks. */
  close(): void {
    window.clearTimeout(this.again);
    this.events?.close();
    this.events = undefined;
    this.simulation.stop();
  }

  private later(): void {
    this.due ??= window.setTimeout(() => this.redraw(), REDRAW_MS);
  }

  private redraw(): void {
    this.due = undefined;
    this.choices();
    const page = this.picker.value;
    const { nodes, edges, earlier } = this.lineage.picture(page, DRAWN_MAX);
    const before = this.nodes.size;
    const wanted = new Set(nodes);
    for (const id of this.nodes.keys()) if (!wanted.has(id)) this.nodes.delete(id);
    for (const id of nodes) {
      if (this.nodes.has(id)) continue;
      // A newcomer begins beside whoever gave to it.
      const giver = edges.find(({ to }) => to === id)?.from ?? ORIGIN;
      const { x = 0, y = 0 } = this.nodes.get(giver) ?? {};
      this.nodes.set(id, { id, x: x + (Math.random() - 0.5) * 30, y: y + (Math.random() - 0.5) * 30 });
    }
    this.earlier = earlier;
    this.edges = edges.flatMap(({ from, to, bytes }) => {
      const [source, target] = [this.nodes.get(from), this.nodes.get(to)];
      return source && target ? [{ source, target, bytes }] : [];
    });
    this.simulation.nodes([...this.nodes.values()]);
    this.links.links(this.edges);
    if (this.still.matches) {
      this.simulation.stop().alpha(1).tick(120);
      this.draw();
    } else {
      this.simulation.alpha(before === 0 ? 1 : 0.35).restart();
    }
    this.say(page);
  }

  /** Pages to choose from; the choice stays. */
  private choices(): void {
    const pages = this.lineage.pages().slice(0, 50);
    const known = [...this.picker.options].slice(1).map(({ value }) => value);
    if (pages.length === known.length && pages.every((page) => known.includes(page))) return;
    const chosen = this.picker.value;
    this.picker.replaceChildren(new Option('all pages', ''), ...pages.map((page) => new Option(page, page)));
    this.picker.value = pages.includes(chosen) ? chosen : '';
  }

  private say(page: string): void {
    const now = performance.now();
    if (this.saidAt && now - this.saidAt < SAY_MS) return;
    this.saidAt = now;
    const summary = this.lineage.summary(page);
    this.said.textContent = summary;
    this.canvas.setAttribute('aria-label', summary);
  }

  private draw(): void {
    const { canvas } = this;
    const scale = devicePixelRatio || 1;
    const [width, height] = [canvas.clientWidth, canvas.clientHeight];
    if (canvas.width !== Math.round(width * scale) || canvas.height !== Math.round(height * scale)) {
      canvas.width = Math.round(width * scale);
      canvas.height = Math.round(height * scale);
    }
    const context = canvas.getContext('2d');
    if (!context) return;
    const style = getComputedStyle(document.documentElement);
    const color = (name: string) => style.getPropertyValue(name).trim();
    // All of it fits, whatever its size.
    const nodes = [...this.nodes.values()];
    const reach = (of: (node: Node) => number | undefined) => Math.max(1, ...nodes.map((node) => Math.abs(of(node) ?? 0)));
    const zoom = Math.min(1.6, (width / 2 - 24) / reach(({ x }) => x), (height / 2 - 28) / reach(({ y }) => y));
    context.setTransform(scale * zoom, 0, 0, scale * zoom, (scale * width) / 2, (scale * height) / 2);
    context.clearRect(-width / zoom, -height / zoom, (2 * width) / zoom, (2 * height) / zoom);
    for (const { source, target, bytes } of this.edges) {
      context.strokeStyle = color(source.id === ORIGIN ? '--origin' : '--peers');
      context.globalAlpha = bytes > 0 ? 0.55 : 0.2;
      context.lineWidth = Math.min(4, 0.6 + Math.log10(1 + bytes / 100_000));
      context.beginPath();
      context.moveTo(source.x ?? 0, source.y ?? 0);
      context.lineTo(target.x ?? 0, target.y ?? 0);
      context.stroke();
    }
    context.globalAlpha = 1;
    for (const node of this.nodes.values()) this.drawNode(context, node, color);
  }

  private drawNode(context: CanvasRenderingContext2D, { id, x = 0, y = 0 }: Node, color: (name: string) => string): void {
    const visit = this.lineage.visits.get(id);
    context.beginPath();
    if (id === ORIGIN) context.rect(x - 8, y - 8, 16, 16);
    else context.arc(x, y, id === EARLIER ? 12 : 5, 0, 2 * Math.PI);
    const name = id === ORIGIN ? '--origin' : visit?.dropped ? '--bad' : visit?.left ? '--muted' : visit?.answer === 'full' ? '--full' : '--thin';
    // Who gives to others is filled; a ring is somebody who only takes. So it is told without colours.
    context.fillStyle = id === ORIGIN || id === EARLIER || visit?.seeding ? color(name) : color('--ground');
    context.strokeStyle = color(name);
    context.lineWidth = 2;
    context.globalAlpha = visit?.left ? 0.35 : 1;
    context.fill();
    context.stroke();
    context.globalAlpha = 1;
    if (id > 0) return;
    context.fillStyle = color('--text');
    context.font = '11px system-ui, sans-serif';
    context.textAlign = 'center';
    context.fillText(id === ORIGIN ? 'origin' : `${this.earlier} earlier`, x, y + 24);
  }
}
