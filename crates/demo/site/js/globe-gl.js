// Draws the lit globe with WebGL 2; globe-2d.js does the same without.

const VERTEX = `#version 300 es
void main() {
  vec2 corner = vec2(gl_VertexID == 1 ? 3.0 : -1.0, gl_VertexID == 2 ? 3.0 : -1.0);
  gl_Position = vec4(corner, 0.0, 1.0);
}`;

const FRAGMENT = `#version 300 es
precision highp float;
uniform sampler2D ground;
uniform sampler2D clouds;
uniform vec3 disc;      // centre x, y and radius, in pixels, y up
uniform vec2 turn;      // longitude, latitude
uniform float drift;    // turn of the clouds, share of a whole turn
uniform float pixel;    // pixels for each CSS pixel
out vec4 shown;
const float PI = 3.14159265358979;
const vec3 SUN = normalize(vec3(-0.50, 0.46, 0.735));
const vec3 AIR = vec3(0.40, 0.62, 0.95);

vec4 glow(vec2 at, float away) {
  float lit = smoothstep(-0.75, 0.9, dot(normalize(at), SUN.xy));
  float near = exp(-(away - 1.0) * 26.0) * 0.5 + exp(-(away - 1.0) * 7.0) * 0.16;
  float strength = near * mix(0.1, 1.0, lit);
  return vec4(AIR * strength, strength * 0.6);
}

void main() {
  vec2 at = (gl_FragCoord.xy - disc.xy) / disc.z;
  float away = length(at);
  if (away > 1.9) { shown = vec4(0.0); return; }
  float edge = clamp((1.0 - away) * disc.z / pixel + 0.5, 0.0, 1.0);
  vec4 outside = away > 0.985 ? glow(at, max(away, 1.0)) : vec4(0.0);
  vec2 inside = at / max(away, 1.0) * min(1.0, 0.9995 / max(min(away, 1.0), 0.0001) * min(away, 1.0));
  vec3 n = vec3(inside, sqrt(max(0.0, 1.0 - dot(inside, inside))));
  float towards = n.z * cos(turn.y) - n.y * sin(turn.y);
  float north = n.y * cos(turn.y) + n.z * sin(turn.y);
  float u = (turn.x + atan(n.x, towards)) / (2.0 * PI) + 0.5;
  float v = 0.5 - asin(clamp(north, -1.0, 1.0)) / PI;
  // Derivatives across the seam would choose the smallest mipmap; those of the nearer of two branches do not.
  float v2 = fract(u + 0.5) - 0.5;
  vec2 du = vec2(dFdx(fract(u)), dFdy(fract(u)));
  vec2 dw = vec2(dFdx(v2), dFdy(v2));
  vec2 best = abs(du.x) + abs(du.y) < abs(dw.x) + abs(dw.y) ? du : dw;
  vec2 gx = vec2(best.x, dFdx(v)), gy = vec2(best.y, dFdy(v));
  vec4 base = textureGrad(ground, vec2(u, v), gx, gy);
  float cloud = textureGrad(clouds, vec2(u + drift, v), gx, gy).r;
  float shade = textureGrad(clouds, vec2(u + drift - 0.0022, v - 0.0022), gx, gy).r;

  float facing = dot(n, SUN);
  float day = smoothstep(-0.2, 0.4, facing);
  vec3 colour = base.rgb * mix(1.0, 0.62, shade * 0.8);
  vec3 half_way = normalize(SUN + vec3(0.0, 0.0, 1.0));
  float mirror = pow(max(dot(n, half_way), 0.0), 42.0) * base.a * (1.0 - cloud);
  colour = colour * (0.32 + 0.86 * max(facing, 0.0)) + vec3(1.0, 0.93, 0.8) * mirror * 0.34;
  colour = mix(colour, vec3(0.95, 0.965, 0.99) * (0.36 + 0.72 * max(facing, 0.0)), cloud * 0.8);
  vec3 night = base.rgb * vec3(0.075, 0.1, 0.16) + vec3(0.008, 0.014, 0.028);
  colour = mix(night, colour, day);
  float rim = pow(1.0 - n.z, 2.6);
  colour = mix(colour, AIR * (0.12 + 0.95 * day), rim * 0.62);
  shown = mix(outside, vec4(colour, 1.0), edge);
}`;

function compile(gl, kind, text) {
  const shader = gl.createShader(kind);
  gl.shaderSource(shader, text);
  gl.compileShader(shader);
  return shader;
}

function program(gl) {
  const made = gl.createProgram();
  gl.attachShader(made, compile(gl, gl.VERTEX_SHADER, VERTEX));
  gl.attachShader(made, compile(gl, gl.FRAGMENT_SHADER, FRAGMENT));
  gl.linkProgram(made);
  return gl.getProgramParameter(made, gl.LINK_STATUS) ? made : null;
}

function texture(gl, unit, format, width, height, pixels) {
  gl.activeTexture(gl.TEXTURE0 + unit);
  gl.bindTexture(gl.TEXTURE_2D, gl.createTexture());
  gl.pixelStorei(gl.UNPACK_ALIGNMENT, 1);
  gl.texImage2D(gl.TEXTURE_2D, 0, format.inner, width, height, 0, format.outer, gl.UNSIGNED_BYTE, pixels);
  gl.generateMipmap(gl.TEXTURE_2D);
  gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_WRAP_S, gl.REPEAT);
  gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_WRAP_T, gl.CLAMP_TO_EDGE);
  gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MIN_FILTER, gl.LINEAR_MIPMAP_LINEAR);
  const sharp = gl.getExtension('EXT_texture_filter_anisotropic');
  if (sharp) gl.texParameterf(gl.TEXTURE_2D, sharp.TEXTURE_MAX_ANISOTROPY_EXT, 8);
}

/** True if the graphics are computed by the processor: then our own way to do so is cheaper. */
function software(gl) {
  const info = gl.getExtension('WEBGL_debug_renderer_info');
  const name = String(gl.getParameter(info ? info.UNMASKED_RENDERER_WEBGL : gl.RENDERER));
  return /swiftshader|llvmpipe|software|basic render/i.test(name);
}

/** A renderer on `canvas`, or null where WebGL 2 is missing or is computed in software. */
export function glGlobe(canvas, world, picture) {
  const probe = document.createElement('canvas').getContext('webgl2');
  if (!probe || software(probe)) return null;
  probe.getExtension('WEBGL_lose_context')?.loseContext();
  const gl = canvas.getContext('webgl2', { alpha: true, antialias: false, premultipliedAlpha: true });
  const made = gl && program(gl);
  if (!made) return null;
  gl.useProgram(made);
  const { width, height } = world;
  texture(gl, 0, { inner: gl.RGBA8, outer: gl.RGBA }, width, height, new Uint8Array(picture.buffer));
  texture(gl, 1, { inner: gl.R8, outer: gl.RED }, width, height, world.clouds);
  const place = (name) => gl.getUniformLocation(made, name);
  gl.uniform1i(place('ground'), 0);
  gl.uniform1i(place('clouds'), 1);
  const [disc, turn, drift, pixel] = ['disc', 'turn', 'drift', 'pixel'].map(place);
  return {
    name: 'gl',
    dear: false,
    draw(camera, stage, drifted) {
      const scale = Math.min(devicePixelRatio || 1, 2);
      const [w, h] = [Math.round(stage.width * scale), Math.round(stage.height * scale)];
      if (canvas.width !== w || canvas.height !== h) [canvas.width, canvas.height] = [w, h];
      gl.viewport(0, 0, w, h);
      gl.uniform3f(disc, camera.x * scale, h - camera.y * scale, camera.radius * scale);
      gl.uniform2f(turn, camera.longitude, camera.latitude);
      gl.uniform1f(drift, drifted);
      gl.uniform1f(pixel, scale);
      gl.drawArrays(gl.TRIANGLES, 0, 3);
    },
  };
}
