// Fetches the generated world and checks it against the digests that the atlas gives.

/**
 * Keeps the page's `load` event waiting until the returned function is called. Neither a preload nor a fetch delays `load`, yet whatever
 * is loaded before it is what a page needs to start; an open document in a frame does delay it, in every engine.
 */
export function holdLoad() {
  const frame = document.createElement('iframe');
  frame.hidden = true;
  frame.tabIndex = -1;
  document.body.append(frame);
  frame.contentDocument?.open();
  return () => {
    frame.contentDocument?.close();
    frame.remove();
  };
}

const address = (name) => document.querySelector(`link[data-world="${name}"]`).href;

async function bytes(name) {
  const answer = await fetch(address(name));
  if (!answer.ok) throw new Error(`${name}: the server answered ${answer.status}`);
  return answer.arrayBuffer();
}

async function matches(body, sha256) {
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', body));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, '0')).join('') === sha256;
}

/** Checks each map; null where the browser offers no hashing (an insecure address). */
async function verify(atlas, bodies) {
  if (!globalThis.crypto?.subtle) return null;
  const results = await Promise.all(atlas.maps.map((map, index) => matches(bodies[index], map.sha256)));
  return results.filter(Boolean).length;
}

/** The whole world: atlas, maps as typed arrays, heights in metres, their size, and (a promise) how many maps matched their digest. */
export async function loadWorld() {
  const names = ['relief', 'moisture', 'rivers', 'clouds'];
  const [text, ...bodies] = await Promise.all([bytes('atlas'), ...names.map(bytes)]);
  const atlas = JSON.parse(new TextDecoder().decode(text));
  const relief = new Uint16Array(bodies[0]);
  return {
    atlas,
    width: atlas.width,
    height: atlas.height,
    ground: heights(atlas, relief),
    moisture: new Uint8Array(bodies[1]),
    rivers: new Uint8Array(bodies[2]),
    clouds: new Uint8Array(bodies[3]),
    size: text.byteLength + bodies.reduce((sum, body) => sum + body.byteLength, 0),
    verified: verify(atlas, bodies),
  };
}

/** Heights above sea level in metres, of every texel of the relief map. */
function heights(atlas, relief) {
  const { relief_steps_per_m: steps, relief_zero_m: zero } = atlas;
  const ground = new Float32Array(relief.length);
  for (let at = 0; at < relief.length; at++) ground[at] = relief[at] / steps + zero;
  return ground;
}

/**
 * Mean temperature in degrees Celsius at sea level along one parallel, as a base and factors of the waves of `wavesAt`: colder towards the
 * poles, a little uneven on the way round. Latitude in radians.
 */
export function warmthAlong(latitude) {
  const away = Math.abs(Math.sin(latitude));
  const [three, five] = [2.6 * (0.3 + away), 2 * (0.3 + away)];
  const [shiftThree, shiftFive] = [latitude * 5, 1 - latitude * 7];
  return {
    base: 29 - 54 * away ** 1.9,
    factors: [three * Math.cos(shiftThree), three * Math.sin(shiftThree), five * Math.cos(shiftFive), five * Math.sin(shiftFive)],
  };
}

/** What depends on the longitude (radians) alone: the same for every parallel, and so worth a table. */
export function wavesAt(longitude) {
  return [Math.sin(3 * longitude), Math.cos(3 * longitude), Math.sin(5 * longitude), Math.cos(5 * longitude)];
}

/** Degrees Celsius lost for each metre of height. */
export const COOLING_PER_M = 0.0059;
