// Fetches the generated world and checks it against the digests that the atlas gives.

/**
 * Keeps the page's `load` event waiting until the returned function is called. Neither a preload nor a fetch delays `load`, yet whatever
 * is loaded before it is what a page needs to start; an open document in a frame does delay it, in every engine.
 */
function holdLoad() {
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

/** The whole world: atlas, maps as typed arrays, how many maps matched their digest, and when (ms since navigation) it was all here. */
export async function loadWorld() {
  const release = holdLoad();
  try {
    const names = ['relief', 'moisture', 'rivers', 'clouds'];
    const [text, ...bodies] = await Promise.all([bytes('atlas'), ...names.map(bytes)]);
    const arrived = performance.now();
    const atlas = JSON.parse(new TextDecoder().decode(text));
    const verified = verify(atlas, bodies);
    const world = {
      atlas,
      width: atlas.width,
      height: atlas.height,
      relief: new Uint16Array(bodies[0]),
      moisture: new Uint8Array(bodies[1]),
      rivers: new Uint8Array(bodies[2]),
      clouds: new Uint8Array(bodies[3]),
      size: text.byteLength + bodies.reduce((sum, body) => sum + body.byteLength, 0),
      verified,
      arrived,
    };
    return { ...world, ground: heights(world) };
  } finally {
    release();
  }
}

/** Heights above sea level in metres, of every texel. */
function heights(world) {
  const { relief_steps_per_m: steps, relief_zero_m: zero } = world.atlas;
  return Float32Array.from(world.relief, (value) => value / steps + zero);
}

/**
 * Mean temperature in degrees Celsius at sea level along one parallel: colder towards the poles, a little uneven on the way round.
 * Angles in radians.
 */
export function warmthAlong(latitude) {
  const away = Math.abs(Math.sin(latitude));
  const base = 29 - 54 * away ** 1.9;
  const [near, far] = [2.6 * (0.3 + away), 2 * (0.3 + away)];
  return (longitude) => base + near * Math.sin(longitude * 3 + latitude * 5) + far * Math.sin(longitude * 5 - latitude * 7 + 1);
}

/** Degrees Celsius lost for each metre of height. */
export const COOLING_PER_M = 0.0059;
