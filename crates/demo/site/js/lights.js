// Draws what is on the globe: stars behind it, towns, visitors as lights, and the way the app travelled as arcs.

import { direction } from './camera.js';

const AMBER = [255, 198, 122];
const BLUE = [127, 178, 229];
const ARC_STEPS = 40;
const COMET_MS = 2600;

const rgb = ([r, g, b], alpha) => `rgb(${r} ${g} ${b} / ${alpha})`;

function sprite(colour) {
  const size = 96;
  const canvas = document.createElement('canvas');
  canvas.width = canvas.height = size;
  const context = canvas.getContext('2d');
  const fade = context.createRadialGradient(size / 2, size / 2, 0, size / 2, size / 2, size / 2);
  fade.addColorStop(0, rgb([255, 252, 245], 1));
  fade.addColorStop(0.05, rgb([255, 250, 240], 0.95));
  fade.addColorStop(0.1, rgb(colour, 0.75));
  fade.addColorStop(0.2, rgb(colour, 0.32));
  fade.addColorStop(0.45, rgb(colour, 0.1));
  fade.addColorStop(1, rgb(colour, 0));
  context.fillStyle = fade;
  context.fillRect(0, 0, size, size);
  return canvas;
}

/** Stars at fixed places of the sky, as [x, y, brightness] shares of the stage. */
function sky() {
  let state = 7;
  const random = () => ((state = (state * 1103515245 + 12345) & 0x7fffffff) / 0x7fffffff);
  return Array.from({ length: 260 }, () => [random(), random(), random() ** 3]);
}

/** Points from one direction to another along the great circle, rising in between; each is [direction, height]. */
function arc(from, to) {
  const angle = Math.acos(Math.max(-1, Math.min(1, from[0] * to[0] + from[1] * to[1] + from[2] * to[2])));
  const sin = Math.sin(angle);
  const rise = Math.min(0.32, 0.03 + angle * 0.19);
  return Array.from({ length: ARC_STEPS + 1 }, (_, step) => {
    const t = step / ARC_STEPS;
    const [a, b] = sin < 1e-5 ? [1 - t, t] : [Math.sin((1 - t) * angle) / sin, Math.sin(t * angle) / sin];
    return [from.map((value, axis) => value * a + to[axis] * b), 1 + rise * Math.sin(Math.PI * t)];
  });
}

/** The layer of lights over the globe. */
export class Lights {
  #context;
  #canvas;
  #towns;
  #landmarks;
  #stars = sky();
  #glows = { amber: sprite(AMBER), blue: sprite(BLUE) };
  #arcs = new Map();
  chosen = null;
  calm = matchMedia('(prefers-reduced-motion: reduce)').matches;

  constructor(canvas, atlas) {
    this.#canvas = canvas;
    this.#context = canvas.getContext('2d');
    const placed = (place) => ({ ...place, at: direction(place.latitude, place.longitude) });
    this.#towns = atlas.towns.map(placed);
    this.#landmarks = atlas.landmarks.map(placed);
  }

  /** The town that a visit lights up. */
  town(ordinal) {
    const towns = this.#towns;
    return towns[(((ordinal - 1) % towns.length) + towns.length) % towns.length];
  }

  /** The named place nearest to a latitude and longitude (radians) within `reach` radians. */
  nearest(point, reach) {
    const p = direction((point.latitude * 180) / Math.PI, (point.longitude * 180) / Math.PI);
    let [best, most] = [null, Math.cos(reach)];
    for (const place of [...this.#landmarks, ...this.#towns]) {
      const near = place.at[0] * p[0] + place.at[1] * p[1] + place.at[2] * p[2];
      if (near > most) [best, most] = [place, near];
    }
    return best;
  }

  #arcOf(from, to) {
    const key = `${from}>${to}`;
    let points = this.#arcs.get(key);
    if (!points) {
      if (this.#arcs.size > 1500) this.#arcs.clear();
      points = arc(this.town(from).at, this.town(to).at);
      this.#arcs.set(key, points);
    }
    return points;
  }

  #drawSky(stage, camera) {
    const context = this.#context;
    for (const [x, y, bright] of this.#stars) {
      const [px, py] = [x * stage.width, y * stage.height];
      if (Math.hypot(px - camera.x, py - camera.y) < camera.radius * 1.06) continue;
      context.fillStyle = `rgb(205 220 250 / ${0.1 + bright * 0.55})`;
      const size = bright > 0.6 ? 1.5 : 1;
      context.fillRect(px, py, size, size);
    }
  }

  #drawTowns(camera) {
    const context = this.#context;
    for (const town of this.#towns) {
      const at = camera.project(town.at);
      if (at.front < 0.08) continue;
      context.fillStyle = `rgb(255 226 180 / ${0.34 * Math.min(1, at.front * 2.4)})`;
      const size = 1.1 * Math.min(2, camera.zoom ** 0.5);
      context.beginPath();
      context.arc(at.x, at.y, size, 0, 7);
      context.fill();
    }
  }

  #drawArc(camera, points, strength, now, fresh) {
    const context = this.#context;
    const seen = points.map(([p, lift]) => {
      const at = camera.project(p, lift);
      const hidden = at.front < 0 && Math.hypot(at.x - camera.x, at.y - camera.y) < camera.radius;
      return hidden ? null : at;
    });
    context.lineCap = 'round';
    for (const [width, alpha] of [[7, 0.1], [3.2, 0.22], [1.4, 0.95]]) {
      context.lineWidth = width;
      context.strokeStyle = rgb(AMBER, alpha * strength);
      context.beginPath();
      let pen = false;
      for (const at of seen) {
        if (!at) pen = false;
        else if (pen) context.lineTo(at.x, at.y);
        else {
          context.moveTo(at.x, at.y);
          pen = true;
        }
      }
      context.stroke();
    }
    if (this.calm) return;
    const along = (now % COMET_MS) / COMET_MS;
    if (!fresh) return;
    for (let tail = 0; tail < 7; tail++) {
      const at = seen[Math.floor((((along - tail * 0.022) + 1) % 1) * ARC_STEPS)];
      if (!at) continue;
      const size = (tail ? 9 : 15) * (1 - tail / 9);
      context.globalAlpha = (1 - tail / 7) * 0.9;
      context.drawImage(this.#glows.amber, at.x - size, at.y - size, size * 2, size * 2);
    }
    context.globalAlpha = 1;
  }

  #drawVisit(camera, visit, now) {
    const context = this.#context;
    const at = camera.project(this.town(visit.ordinal).at);
    if (at.front < -0.02) return;
    const shown = Math.min(1, at.front * 5 + 0.2);
    const whole = visit.fromPeers === 0;
    const breathe = this.calm ? 1 : 1 + 0.09 * Math.sin(now / 620 + visit.ordinal * 1.7);
    const size = (visit.you ? 62 : 44) * (visit.left ? 0.55 : 1) * breathe * Math.min(1.5, camera.zoom ** 0.35);
    context.globalAlpha = shown * (visit.left ? 0.42 : 1);
    context.drawImage(whole ? this.#glows.blue : this.#glows.amber, at.x - size, at.y - size, size * 2, size * 2);
    context.globalAlpha = 1;
    const age = now - visit.seenAt;
    if (!this.calm && age < 2400) {
      context.strokeStyle = rgb(whole ? BLUE : AMBER, 0.7 * (1 - age / 2400) * shown);
      context.lineWidth = 1.2;
      context.beginPath();
      context.arc(at.x, at.y, 6 + age / 42, 0, 7);
      context.stroke();
    }
    if (visit.you || visit.ordinal === this.chosen) {
      context.strokeStyle = rgb([255, 255, 255], 0.85 * shown);
      context.lineWidth = 1.2;
      context.beginPath();
      context.arc(at.x, at.y, 10, 0, 7);
      context.stroke();
    }
  }

  /** Names beside the lights, as long as they do not run into each other. */
  #drawNames(camera, visits) {
    const context = this.#context;
    const taken = [];
    context.font = '500 12px system-ui, sans-serif';
    context.textBaseline = 'middle';
    const order = [...visits].sort((a, b) => (b.you - a.you) || (a.left - b.left) || (b.ordinal - a.ordinal));
    for (const visit of order.slice(0, 60)) {
      const town = this.town(visit.ordinal);
      const at = camera.project(town.at);
      if (at.front < 0.16) continue;
      const text = visit.you ? `${town.name} · you` : town.name;
      const wide = context.measureText(text).width;
      const box = [at.x + 13, at.y - 8, at.x + 15 + wide, at.y + 8];
      if (taken.some((other) => box[0] < other[2] && box[2] > other[0] && box[1] < other[3] && box[3] > other[1])) continue;
      taken.push(box);
      context.lineWidth = 3.5;
      context.lineJoin = 'round';
      context.strokeStyle = 'rgb(6 10 19 / 0.62)';
      context.strokeText(text, box[0], at.y);
      context.fillStyle = visit.you ? '#fff' : rgb([244, 236, 224], visit.left ? 0.55 : 0.92);
      context.fillText(text, box[0], at.y);
    }
  }

  /** Draws one picture; `visits` as travel.js gives them. */
  draw(camera, stage, visits, now) {
    const scale = Math.min(devicePixelRatio || 1, 2);
    const [w, h] = [Math.round(stage.width * scale), Math.round(stage.height * scale)];
    if (this.#canvas.width !== w || this.#canvas.height !== h) [this.#canvas.width, this.#canvas.height] = [w, h];
    const context = this.#context;
    context.setTransform(scale, 0, 0, scale, 0, 0);
    context.clearRect(0, 0, stage.width, stage.height);
    this.#drawSky(stage, camera);
    this.#drawTowns(camera);
    context.globalCompositeOperation = 'lighter';
    const known = new Set(visits.map((visit) => visit.ordinal));
    for (const visit of visits) {
      for (const { from, bytes } of visit.sources) {
        if (from === 0 || !known.has(from)) continue;
        const strength = (0.2 + 0.8 * (bytes / Math.max(1, visit.bytes))) * (visit.left ? 0.45 : 1);
        this.#drawArc(camera, this.#arcOf(from, visit.ordinal), strength, now, now - visit.changedAt < 15000);
      }
    }
    for (const visit of visits) this.#drawVisit(camera, visit, now);
    context.globalCompositeOperation = 'source-over';
    this.#drawNames(camera, visits);
  }
}
