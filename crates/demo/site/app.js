// The demo: loads the world, draws it, and shows how it travelled.

import { COOLING_PER_M, holdLoad, loadWorld, warmthAlong, wavesAt } from '/js/assets.js';
import { Camera, attach } from '/js/camera.js';
import { flatGlobe } from '/js/globe-2d.js';
import { glGlobe } from '/js/globe-gl.js';
import { Lights } from '/js/lights.js';
import { biome, paint } from '/js/paint.js';
import { showCopy, showInvite, showTravel } from '/js/panel.js';
import { Travel } from '/js/travel.js';

const CLOUD_TURN_PER_MS = 1 / 3_600_000;
const find = (id) => document.getElementById(id);
const stageElement = find('stage');
const stage = { width: 0, height: 0 };
const camera = new Camera();
const travel = new Travel();
const facts = { loaded: 0, ready: 0, verified: null, maps: 0 };
let world = null;
let globe = null;
let lights = null;
let pointed = null;
let pending = false;

const viralStatus = () => window.viral?.status?.() ?? null;

/** Writes the panel once per frame at most, however much is reported. */
function refresh() {
  if (pending) return;
  pending = true;
  setTimeout(() => {
    pending = false;
    const status = viralStatus();
    travel.recognise(status);
    // `off` without a reason is a visit that is only beginning.
    const told = status && (status.role !== 'off' || status.reason);
    if (told || facts.settled) showCopy(status, facts);
    showInvite(status, travel.visits);
    if (lights) showTravel(travel, (ordinal) => lights.town(ordinal).name, choose);
  }, 60);
}

function choose(ordinal) {
  lights.chosen = ordinal;
  const town = lights.town(ordinal);
  camera.flyTo((town.latitude * Math.PI) / 180, (town.longitude * Math.PI) / 180);
}

function resize() {
  const { clientWidth, clientHeight } = stageElement;
  const panel = document.querySelector('.panel');
  const beside = getComputedStyle(panel).position === 'fixed';
  Object.assign(stage, { width: clientWidth, height: clientHeight });
  camera.fit(clientWidth, clientHeight, beside ? panel.clientWidth - 30 : 0);
}

const degrees = (radians, positive, negative) => {
  const value = (radians * 180) / Math.PI;
  return `${Math.abs(value).toFixed(1)}° ${value < 0 ? negative : positive}`;
};

/** What is known about the place a person points at. */
function readPlace() {
  const point = pointed && camera.unproject(pointed.x, pointed.y);
  if (!point) return;
  const column = Math.floor(((point.longitude + Math.PI) / (2 * Math.PI)) * world.width) % world.width;
  const row = Math.min(world.height - 1, Math.floor((0.5 - point.latitude / Math.PI) * world.height));
  const at = row * world.width + column;
  const height = world.ground[at];
  const { base, factors } = warmthAlong(point.latitude);
  const sea = wavesAt(point.longitude).reduce((sum, wave, index) => sum + wave * factors[index], base);
  const warmth = sea - Math.max(height, 0) * COOLING_PER_M;
  const place = lights.nearest(point, 0.022 + 0.02 / camera.zoom);
  const level = height > 0 ? `${Math.round(height).toLocaleString('en')} m` : `${Math.round(-height).toLocaleString('en')} m deep`;
  const kind = biome(height, warmth, world.moisture[at] / 255, world.rivers[at]);
  find('readout-place').textContent = place ? place.name : kind[0].toUpperCase() + kind.slice(1);
  const words = [place ? kind : '', level, `${Math.round(warmth)} °C`, degrees(point.latitude, 'N', 'S'), degrees(point.longitude, 'E', 'W')];
  find('readout-facts').textContent = words.filter(Boolean).join(' · ');
}

const showSpin = () => find('spin').setAttribute('aria-pressed', String(camera.spinning));

function tools() {
  find('zoom-in').addEventListener('click', () => camera.magnify(1.4));
  find('zoom-out').addEventListener('click', () => camera.magnify(1 / 1.4));
  const toggle = () => {
    camera.spinning = !camera.spinning;
    showSpin();
  };
  find('spin').addEventListener('click', toggle);
  find('lights').addEventListener('keydown', (event) => {
    if (event.key !== ' ') return;
    event.preventDefault();
    toggle();
  });
  showSpin();
  find('address').textContent = location.href;
  find('copy').addEventListener('click', async () => {
    await navigator.clipboard?.writeText(location.href);
    find('copy').textContent = 'Copied';
  });
}

/** Share of a processor that drawing may take while nobody touches the globe, where the processor does the drawing. */
const IDLE_SHARE = 0.15;
const NEWS_MS = 15_000;

/** Draws frame by frame, but only what changed, and no more than the processor can spare. */
function animate() {
  let [last, drawn, lit, cost] = [performance.now(), -1, -1e9, 0];
  const due = (now) => {
    if (camera.version !== drawn) return true;
    if (lights.calm || now - lit > 1000) return now - lit > 1000;
    return globe.dear ? travel.visits.some((visit) => now - visit.changedAt < NEWS_MS) : travel.visits.length > 0 && now - lit > 33;
  };
  const frame = (now) => {
    requestAnimationFrame(frame);
    if (globe.dear && now - last < (camera.held ? cost * 0.5 : cost / IDLE_SHARE)) return;
    camera.advance(now, Math.min(now - last, 100));
    last = now;
    if (!due(now)) return;
    const moved = camera.version !== drawn;
    const start = performance.now();
    if (moved) globe.draw(camera, stage, camera.spinning ? now * CLOUD_TURN_PER_MS : 0);
    if (moved) readPlace();
    lights.draw(camera, stage, travel.visits, now);
    cost += (performance.now() - start - cost) * 0.3;
    drawn = camera.version;
    lit = now;
  };
  frame(last);
}

/** Loads, paints and shows the world. */
async function unfold() {
  world = await loadWorld();
  Object.assign(facts, { loaded: world.size, maps: world.atlas.maps.length });
  find('size').textContent = `${(world.size / 1e6).toFixed(1)} MB`;
  lights = new Lights(find('lights'), world.atlas);
  const home = lights.town(1);
  Object.assign(camera, { latitude: (home.latitude * Math.PI) / 180 * 0.7, longitude: (home.longitude * Math.PI) / 180 + 0.15 });
  const picture = await paint(world);
  globe = glGlobe(find('globe'), world, picture) ?? flatGlobe(find('globe'), world, picture);
  document.documentElement.dataset.globe = globe.name;
  // A world that turns by itself would keep a processor busy that does the drawing; a person may still set it going.
  if (globe.dear) camera.spinning = false;
  showSpin();
  attach(camera, find('lights'), (point) => {
    pointed = point;
    readPlace();
  });
  animate();
  find('veil').classList.add('gone');
  facts.ready = performance.now();
}

async function begin() {
  travel.addEventListener('change', refresh);
  addEventListener('viralchange', refresh);
  addEventListener('resize', resize);
  resize();
  tools();
  const release = holdLoad();
  try {
    await unfold();
  } catch (error) {
    find('veil').textContent = `The world did not arrive whole (${error.message}). Reload to try again.`;
    return;
  } finally {
    release();
  }
  refresh();
  travel.follow();
  facts.verified = await world.verified;
  // The viral addition may start as late as `load`; who has not heard of it a while after that has none.
  setTimeout(() => {
    facts.settled = true;
    refresh();
  }, 1200);
}

begin();
