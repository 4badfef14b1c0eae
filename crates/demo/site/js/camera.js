// Where the globe is looked at from, and how a person turns it: drag, wheel, pinch, keys.

const ZOOM_MAX = 6;
const TILT_MAX = 1.45;
const SPIN_PER_MS = 0.000035;

/** State and geometry of the view. Angles in radians; the globe is seen in orthographic projection. */
export class Camera {
  longitude = 0;
  latitude = 0.32;
  zoom = 1;
  calm = matchMedia('(prefers-reduced-motion: reduce)').matches;
  spinning = !this.calm;
  x = 0;
  y = 0;
  base = 1;
  /** Bumped on each change, so that renderers know whether to draw. */
  version = 0;
  #target = null;
  #idleFrom = 0;

  get radius() {
    return this.base * this.zoom;
  }

  /** Places the globe in a stage of width x height pixels whose left `inset` pixels are covered. */
  fit(width, height, inset) {
    this.x = inset + (width - inset) / 2;
    this.y = height / 2;
    this.base = Math.max(60, Math.min((width - inset) * 0.46, height * 0.43));
    this.version++;
  }

  turn(dx, dy) {
    this.#target = null;
    this.longitude -= dx / this.radius;
    this.latitude = Math.max(-TILT_MAX, Math.min(TILT_MAX, this.latitude + dy / this.radius));
    this.rest();
  }

  magnify(factor) {
    this.zoom = Math.max(0.8, Math.min(ZOOM_MAX, this.zoom * factor));
    this.rest();
  }

  /** Holds the slow turning back for a while after a person touched the globe. */
  rest() {
    this.#idleFrom = performance.now() + 6000;
    this.version++;
  }

  /** Turns gently towards a place. */
  flyTo(latitude, longitude) {
    this.#target = { latitude: Math.max(-1, Math.min(1, latitude)), longitude };
    this.rest();
  }

  /** True while a person turns the globe, or just did. */
  get held() {
    return this.#target !== null || performance.now() < this.#idleFrom - 5000;
  }

  /** Moves by `elapsed` ms; true while something moves. */
  advance(now, elapsed) {
    if (this.#target) {
      const turn = Math.PI * 2;
      const east = ((((this.#target.longitude - this.longitude) % turn) + turn * 1.5) % turn) - Math.PI;
      const north = this.#target.latitude - this.latitude;
      const share = this.calm ? 1 : 1 - Math.exp(-elapsed / 260);
      this.longitude += east * share;
      this.latitude += north * share;
      if (Math.abs(east) + Math.abs(north) < 0.002) this.#target = null;
      this.version++;
      return true;
    }
    if (!this.spinning || now < this.#idleFrom) return false;
    this.longitude += (elapsed * SPIN_PER_MS) / this.zoom;
    this.version++;
    return true;
  }

  /** Screen position of a direction `lift` above the ground (1 = on it), and how far it is in front (negative: behind). */
  project(p, lift = 1) {
    const [sin, cos] = [Math.sin(this.longitude), Math.cos(this.longitude)];
    const [sinLat, cosLat] = [Math.sin(this.latitude), Math.cos(this.latitude)];
    const across = p[2] * cos - p[0] * sin;
    const towards = p[0] * cos + p[2] * sin;
    const up = p[1] * cosLat - towards * sinLat;
    const front = p[1] * sinLat + towards * cosLat;
    return { x: this.x + across * lift * this.radius, y: this.y - up * lift * this.radius, front: front * lift };
  }

  /** Latitude and longitude under a screen position, or null beside the globe. */
  unproject(x, y) {
    const across = (x - this.x) / this.radius;
    const up = (this.y - y) / this.radius;
    const front = Math.sqrt(1 - across * across - up * up);
    if (!(front >= 0)) return null;
    const [sinLat, cosLat] = [Math.sin(this.latitude), Math.cos(this.latitude)];
    const towards = front * cosLat - up * sinLat;
    const north = up * cosLat + front * sinLat;
    let longitude = this.longitude + Math.atan2(across, towards);
    longitude = longitude - Math.round(longitude / (2 * Math.PI)) * 2 * Math.PI;
    return { latitude: Math.asin(Math.max(-1, Math.min(1, north))), longitude };
  }
}

/** The direction of a place; angles in degrees. */
export function direction(latitude, longitude) {
  const [lat, lon] = [(latitude * Math.PI) / 180, (longitude * Math.PI) / 180];
  return [Math.cos(lat) * Math.cos(lon), Math.sin(lat), Math.cos(lat) * Math.sin(lon)];
}

/** Lets a person turn and zoom the globe on `surface`; `onPoint` is told where they point (or null). */
export function attach(camera, surface, onPoint) {
  const held = new Map();
  const spread = () => {
    const [a, b] = [...held.values()];
    return Math.hypot(a.x - b.x, a.y - b.y);
  };
  surface.addEventListener('pointerdown', (event) => {
    held.set(event.pointerId, { x: event.offsetX, y: event.offsetY });
    surface.setPointerCapture(event.pointerId);
    surface.classList.add('grabbing');
  });
  surface.addEventListener('pointermove', (event) => {
    const before = held.get(event.pointerId);
    if (before && held.size === 1) camera.turn(event.offsetX - before.x, event.offsetY - before.y);
    if (before) {
      const wide = held.size === 2 ? spread() : 0;
      held.set(event.pointerId, { x: event.offsetX, y: event.offsetY });
      if (wide) camera.magnify(spread() / wide);
    }
    onPoint({ x: event.offsetX, y: event.offsetY });
  });
  const release = (event) => {
    held.delete(event.pointerId);
    if (!held.size) surface.classList.remove('grabbing');
  };
  surface.addEventListener('pointerup', release);
  surface.addEventListener('pointercancel', release);
  surface.addEventListener('pointerleave', () => onPoint(null));
  surface.addEventListener('wheel', (event) => {
    event.preventDefault();
    camera.magnify(Math.exp(-event.deltaY * 0.0016));
  }, { passive: false });
  const step = 36;
  const keys = {
    ArrowLeft: () => camera.turn(step, 0),
    ArrowRight: () => camera.turn(-step, 0),
    ArrowUp: () => camera.turn(0, step),
    ArrowDown: () => camera.turn(0, -step),
    '+': () => camera.magnify(1.2),
    '=': () => camera.magnify(1.2),
    '-': () => camera.magnify(1 / 1.2),
  };
  surface.addEventListener('keydown', (event) => {
    if (!keys[event.key]) return;
    event.preventDefault();
    keys[event.key]();
    onPoint({ x: camera.x, y: camera.y });
  });
}
