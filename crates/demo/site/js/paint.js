// Paints the maps into one picture of the world: seas by depth, land by climate, light from the north-west, rivers, snow and ice.

import { COOLING_PER_M, warmthAlong, wavesAt } from './assets.js';

// Land colours by warmth (rows: -12, 2, 14, 27 degrees) and moisture (columns: dry, half, wet).
const LAND = [
  [[146, 143, 138], [134, 138, 134], [150, 160, 162]],
  [[138, 128, 104], [92, 104, 78], [58, 82, 64]],
  [[168, 152, 108], [92, 114, 62], [44, 82, 48]],
  [[206, 172, 122], [124, 128, 68], [28, 74, 38]],
];
const WARMTH = [-12, 2, 14, 27];
const ROCK = [124, 113, 104];
const SNOW = [238, 243, 248];
const LAKE = [38, 92, 120];
const STEPS = 64;

const mix = (a, b, t) => a + (b - a) * t;
const clamp = (value, low, high) => (value < low ? low : value > high ? high : value);
const ramp = (from, to, value) => {
  const t = clamp((value - from) / (to - from), 0, 1);
  return t * t * (3 - 2 * t);
};

/** A table of land colours, warmth by moisture, each STEPS fine. */
function landTable() {
  const table = new Float32Array(STEPS * STEPS * 3);
  for (let w = 0; w < STEPS; w++) {
    const degrees = mix(WARMTH[0], WARMTH[3], w / (STEPS - 1));
    const row = degrees < WARMTH[1] ? 0 : degrees < WARMTH[2] ? 1 : 2;
    const down = (degrees - WARMTH[row]) / (WARMTH[row + 1] - WARMTH[row]);
    for (let m = 0; m < STEPS; m++) {
      const wet = (m / (STEPS - 1)) * 2;
      const column = wet < 1 ? 0 : 1;
      for (let c = 0; c < 3; c++) {
        const upper = mix(LAND[row][column][c], LAND[row][column + 1][c], wet - column);
        const lower = mix(LAND[row + 1][column][c], LAND[row + 1][column + 1][c], wet - column);
        table[(w * STEPS + m) * 3 + c] = mix(upper, lower, down);
      }
    }
  }
  return table;
}

/** Colour of the sea at `depth` metres, into `out`. */
function sea(depth, out) {
  const shelf = ramp(0, 260, depth);
  const deep = ramp(200, 4600, depth);
  const abyss = ramp(4200, 8200, depth);
  out[0] = mix(mix(mix(52, 24, shelf), 11, deep), 6, abyss);
  out[1] = mix(mix(mix(118, 84, shelf), 48, deep), 27, abyss);
  out[2] = mix(mix(mix(132, 118, shelf), 88, deep), 58, abyss);
}

/** Colour of the land, into `out`. `slope` is metres of rise per metre. */
function land(table, height, warmth, wet, slope, out) {
  const w = clamp(Math.round(((warmth + 12) / 39) * (STEPS - 1)), 0, STEPS - 1);
  const m = clamp(Math.round(wet * (STEPS - 1)), 0, STEPS - 1);
  const at = (w * STEPS + m) * 3;
  const rock = clamp(ramp(0.045, 0.2, slope) * 0.6 + ramp(2600, 5200, height) * 0.65, 0, 0.85);
  const snow = ramp(-2, -9, warmth - 30 * Math.min(slope, 0.1) + wet * -3);
  for (let c = 0; c < 3; c++) {
    out[c] = mix(mix(table[at + c], ROCK[c], rock), SNOW[c], snow);
  }
}

/** Paints rows `from` to `to` of `picture` (RGBA; alpha says how much a texel mirrors the sun: 255 water, 0 land). */
function paintRows(world, table, waves, picture, from, to) {
  const { width, height, rivers, moisture, ground } = world;
  const texel = 40075000 / width;
  const colour = new Float64Array(3);
  for (let row = from; row < to; row++) {
    const latitude = Math.PI * (0.5 - (row + 0.5) / height);
    const across = 2 * texel * Math.max(Math.cos(latitude), 0.12);
    const north = Math.max(row - 1, 0) * width;
    const south = Math.min(row + 1, height - 1) * width;
    const { base, factors: [f0, f1, f2, f3] } = warmthAlong(latitude);
    for (let column = 0; column < width; column++) {
      const at = row * width + column;
      const here = ground[at];
      const east = ground[row * width + ((column + 1) & (width - 1))];
      const west = ground[row * width + ((column - 1) & (width - 1))];
      const dx = (east - west) / across;
      const dy = (ground[south + column] - ground[north + column]) / (2 * texel);
      const wave = column * 4;
      const uneven = waves[wave] * f0 + waves[wave + 1] * f1 + waves[wave + 2] * f2 + waves[wave + 3] * f3;
      const warmth = base + uneven - (here > 0 ? here * COOLING_PER_M : 0);
      let mirror = 0;
      let light;
      if (here <= 0) {
        sea(-here, colour);
        const ice = ramp(-6.5, -10.5, warmth + (moisture[at] - 128) / 20);
        for (let c = 0; c < 3; c++) colour[c] = mix(colour[c], SNOW[c] - 8, ice * 0.92);
        mirror = 255 * (1 - ice);
        light = 1 + clamp((dx + dy) * 1.6, -0.16, 0.16);
      } else {
        land(table, here, warmth, moisture[at] / 255, Math.sqrt(dx * dx + dy * dy), colour);
        light = 1 + clamp((dx + dy) * 8.5, -0.55, 0.42);
        const river = rivers[at];
        if (river) {
          const share = river === 255 ? 1 : clamp((river - 20) / 190, 0, 0.78) * ramp(-12, -4, warmth);
          for (let c = 0; c < 3; c++) colour[c] = mix(colour[c], LAKE[c], share);
          if (river === 255) light = 1;
          mirror = river === 255 ? 200 : 0;
        }
      }
      picture[at * 4] = colour[0] * light;
      picture[at * 4 + 1] = colour[1] * light;
      picture[at * 4 + 2] = colour[2] * light;
      picture[at * 4 + 3] = mirror;
    }
  }
}

const breath = () => new Promise((resume) => {
  const channel = new MessageChannel();
  channel.port1.onmessage = resume;
  channel.port2.postMessage(0);
});

/** The picture of the world, width x height RGBA; works in slices so that the page stays alive. */
export async function paint(world) {
  const table = landTable();
  const longitudes = Array.from({ length: world.width }, (_, column) => 2 * Math.PI * ((column + 0.5) / world.width) - Math.PI);
  const waves = Float32Array.from(longitudes.flatMap(wavesAt));
  const picture = new Uint8ClampedArray(world.width * world.height * 4);
  for (let row = 0; row < world.height; row += 64) {
    paintRows(world, table, waves, picture, row, Math.min(row + 64, world.height));
    await breath();
  }
  return picture;
}

/** What grows at a texel, in words. */
export function biome(height, warmth, wet, river) {
  if (height <= 0) {
    if (warmth < -9) return 'sea ice';
    return height < -5800 ? 'trench' : height < -1800 ? 'deep sea' : height < -220 ? 'open sea' : 'shallow sea';
  }
  if (river === 255) return warmth < -4 ? 'frozen lake' : 'lake';
  if (warmth < -9) return 'ice sheet';
  if (height > 3600 && warmth < 2) return 'bare peaks';
  if (warmth < -2) return 'tundra';
  if (warmth < 6) return wet > 0.42 ? 'boreal forest' : 'cold steppe';
  if (warmth < 18) return wet > 0.62 ? 'temperate rain forest' : wet > 0.38 ? 'mixed forest' : wet > 0.22 ? 'grassland' : 'cold desert';
  return wet > 0.62 ? 'rain forest' : wet > 0.4 ? 'dry forest' : wet > 0.24 ? 'savanna' : 'desert';
}
