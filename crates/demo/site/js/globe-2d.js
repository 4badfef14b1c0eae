// Draws the lit globe with nothing but arithmetic: for browsers without WebGL 2, and where it would be computed in software anyway.

const SUN = [-0.5, 0.46, 0.735];
const HALF = [-0.268, 0.247, 0.931];
const PIXELS_MAX = 420_000;
const ATAN_STEPS = 2048;

/** atan(t) for t of 0..1, in ATAN_STEPS steps. */
const ATAN = Float32Array.from({ length: ATAN_STEPS + 1 }, (_, step) => Math.atan(step / ATAN_STEPS));

function atan2(y, x) {
  const [ay, ax] = [Math.abs(y), Math.abs(x)];
  const small = Math.min(ax, ay) / (Math.max(ax, ay) + 1e-9);
  const at = small * ATAN_STEPS;
  const step = at | 0;
  let angle = ATAN[step] + (ATAN[Math.min(step + 1, ATAN_STEPS)] - ATAN[step]) * (at - step);
  if (ay > ax) angle = Math.PI / 2 - angle;
  if (x < 0) angle = Math.PI - angle;
  return y < 0 ? -angle : angle;
}

const ramp = (from, to, value) => {
  const t = Math.min(1, Math.max(0, (value - from) / (to - from)));
  return t * t * (3 - 2 * t);
};

/** What depends only on how a point of the globe faces the sun and the eye: multiplied, mirrored, added. One table over x and y. */
function lightTable(size) {
  const table = new Float32Array(size * size * 6);
  for (let row = 0; row < size; row++) {
    for (let column = 0; column < size; column++) {
      const x = (column / (size - 1)) * 2 - 1;
      const y = 1 - (row / (size - 1)) * 2;
      const z = Math.sqrt(Math.max(0, 1 - x * x - y * y));
      const facing = x * SUN[0] + y * SUN[1] + z * SUN[2];
      const at = (row * size + column) * 6;
      table[at] = ramp(-0.2, 0.4, facing);
      table[at + 1] = 0.32 + 0.86 * Math.max(facing, 0);
      table[at + 2] = Math.max(0, x * HALF[0] + y * HALF[1] + z * HALF[2]) ** 42 * 0.34;
      table[at + 3] = 0.36 + 0.72 * Math.max(facing, 0);
      table[at + 4] = (1 - z) ** 2.6 * 0.62;
      table[at + 5] = 0.12 + 0.95 * table[at];
    }
  }
  return table;
}

const TABLE_SIZE = 256;

/** Fills `image` (RGBA) with the part of the globe it covers. `view`: position and radius of the globe in the image's pixels. */
function shade(image, view, world, picture, light, drifted) {
  const { width, height, clouds } = world;
  const { data, width: w, height: h } = image;
  const [sinLat, cosLat] = [Math.sin(view.latitude), Math.cos(view.latitude)];
  const perRadianX = width / (2 * Math.PI);
  const perRadianY = height / Math.PI;
  const cloudShift = Math.round(drifted * width) + width;
  const mask = width - 1;
  for (let row = 0; row < h; row++) {
    const up = (view.y - row - 0.5) / view.radius;
    const half = Math.sqrt(Math.max(0, 1 - up * up)) * view.radius;
    const from = Math.max(0, Math.floor(view.x - half - 1));
    const to = Math.min(w, Math.ceil(view.x + half + 1));
    data.fill(0, row * w * 4, (row + 1) * w * 4);
    const tableRow = Math.min(TABLE_SIZE - 1, Math.max(0, ((1 - up) * 0.5 * (TABLE_SIZE - 1) + 0.5) | 0)) * TABLE_SIZE;
    for (let column = from; column < to; column++) {
      let across = (column + 0.5 - view.x) / view.radius;
      const square = across * across + up * up;
      let cover = 1;
      if (square > 0.985) {
        cover = (1 - Math.sqrt(square)) * view.radius + 0.5;
        if (cover <= 0) continue;
        if (cover > 1) cover = 1;
      }
      const front = square < 1 ? Math.sqrt(1 - square) : 0;
      const towards = front * cosLat - up * sinLat;
      const north = up * cosLat + front * sinLat;
      const u = (view.longitude + atan2(across, towards)) * perRadianX + width * 4.5;
      const level = Math.sqrt(Math.max(0, 1 - north * north));
      const v = Math.min(height - 1.001, Math.max(0, (Math.PI / 2 - atan2(north, level)) * perRadianY));
      // Two texels along each axis, blended; at the size of a screen this is what keeps coasts from crawling.
      const [ui, vi] = [u | 0, v | 0];
      const [fu, fv] = [u - ui, v - vi];
      const west = ui & mask;
      const east = (ui + 1) & mask;
      const top = vi * width;
      const bottom = top + width;
      const a = (1 - fu) * (1 - fv);
      const b = fu * (1 - fv);
      const c = (1 - fu) * fv;
      const d = fu * fv;
      const [p, q, r, s] = [(top + west) * 4, (top + east) * 4, (bottom + west) * 4, (bottom + east) * 4];
      const cloudU = ui + cloudShift;
      const cloud = (clouds[top + (cloudU & mask)] * (1 - fu) + clouds[top + ((cloudU + 1) & mask)] * fu) / 255;
      const shadow = clouds[Math.max(0, vi - 2) * width + ((cloudU - 4) & mask)] / 255;
      const lit = (tableRow + Math.min(TABLE_SIZE - 1, Math.max(0, ((across + 1) * 0.5 * (TABLE_SIZE - 1) + 0.5) | 0))) * 6;
      const day = light[lit];
      const ground = light[lit + 1] * (1 - shadow * 0.3);
      const mirror = light[lit + 2] * (1 - cloud) * (picture[p + 3] * a + picture[q + 3] * b + picture[r + 3] * c + picture[s + 3] * d);
      const white = light[lit + 3] * 243;
      const veil = cloud * 0.8;
      const rim = light[lit + 4];
      const air = light[lit + 5] * 255 * rim;
      const out = (row * w + column) * 4;
      const red = picture[p] * a + picture[q] * b + picture[r] * c + picture[s] * d;
      const green = picture[p + 1] * a + picture[q + 1] * b + picture[r + 1] * c + picture[s + 1] * d;
      const blue = picture[p + 2] * a + picture[q + 2] * b + picture[r + 2] * c + picture[s + 2] * d;
      const sunRed = (red * ground + mirror) * (1 - veil) + white * veil;
      const sunGreen = (green * ground + mirror * 0.93) * (1 - veil) + white * 1.015 * veil;
      const sunBlue = (blue * ground + mirror * 0.8) * (1 - veil) + white * 1.04 * veil;
      data[out] = (sunRed * day + (red * 0.075 + 2) * (1 - day)) * (1 - rim) + air * 0.4;
      data[out + 1] = (sunGreen * day + (green * 0.1 + 3.5) * (1 - day)) * (1 - rim) + air * 0.62;
      data[out + 2] = (sunBlue * day + (blue * 0.16 + 7) * (1 - day)) * (1 - rim) + air * 0.95;
      data[out + 3] = cover * 255;
    }
  }
}

/** The glow of the air around the globe, stronger towards the sun. */
function glow(context, x, y, radius) {
  const ring = context.createRadialGradient(x, y, radius * 0.985, x, y, radius * 1.32);
  for (const [stop, strength] of [[0, 0.5], [0.03, 0.42], [0.1, 0.24], [0.22, 0.12], [0.45, 0.045], [1, 0]]) {
    ring.addColorStop(stop, `rgb(102 158 242 / ${strength})`);
  }
  context.fillStyle = ring;
  context.fillRect(x - radius * 1.4, y - radius * 1.4, radius * 2.8, radius * 2.8);
  const dark = context.createLinearGradient(x - radius * 0.75, y - radius * 0.75, x + radius * 0.75, y + radius * 0.75);
  dark.addColorStop(0, 'rgb(0 0 0 / 0)');
  dark.addColorStop(0.45, 'rgb(0 0 0 / 0.25)');
  dark.addColorStop(1, 'rgb(0 0 0 / 0.92)');
  context.globalCompositeOperation = 'destination-out';
  context.fillStyle = dark;
  context.fillRect(x - radius * 1.5, y - radius * 1.5, radius * 3, radius * 3);
  context.globalCompositeOperation = 'source-over';
}

/** A renderer on `canvas` that needs nothing of the graphics card. */
export function flatGlobe(canvas, world, picture) {
  const context = canvas.getContext('2d');
  const buffer = document.createElement('canvas');
  const brush = buffer.getContext('2d');
  const light = lightTable(TABLE_SIZE);
  let image = null;
  return {
    name: '2d',
    dear: true,
    draw(camera, stage, drifted) {
      const scale = Math.min(devicePixelRatio || 1, 2);
      const [w, h] = [Math.round(stage.width * scale), Math.round(stage.height * scale)];
      if (canvas.width !== w || canvas.height !== h) [canvas.width, canvas.height] = [w, h];
      const radius = camera.radius;
      const left = Math.max(0, Math.floor(camera.x - radius - 1));
      const top = Math.max(0, Math.floor(camera.y - radius - 1));
      const across = Math.min(stage.width, Math.ceil(camera.x + radius + 1)) - left;
      const down = Math.min(stage.height, Math.ceil(camera.y + radius + 1)) - top;
      if (across <= 0 || down <= 0) return;
      const fine = Math.min(scale, Math.sqrt(PIXELS_MAX / (across * down)));
      const [bw, bh] = [Math.ceil(across * fine), Math.ceil(down * fine)];
      if (!image || image.width !== bw || image.height !== bh) {
        [buffer.width, buffer.height] = [bw, bh];
        image = brush.createImageData(bw, bh);
      }
      const view = {
        x: (camera.x - left) * fine,
        y: (camera.y - top) * fine,
        radius: radius * fine,
        longitude: camera.longitude % (2 * Math.PI),
        latitude: camera.latitude,
      };
      shade(image, view, world, picture, light, drifted);
      brush.putImageData(image, 0, 0);
      context.setTransform(1, 0, 0, 1, 0, 0);
      context.clearRect(0, 0, w, h);
      context.setTransform(scale, 0, 0, scale, 0, 0);
      glow(context, camera.x, camera.y, radius);
      context.imageSmoothingQuality = 'high';
      context.drawImage(buffer, left, top, bw / fine, bh / fine);
    },
  };
}
