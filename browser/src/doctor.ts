/** The script of `/.viral/doctor`: finds out what this browser can do here, and says it in plain words. */

import { diagnose, reportOf, summary } from './core/doctor';
import type { Facts, Finding, Gathered, ServerView } from './core/doctor';
import { natOf, stunServers } from './core/nat';
import { isCapable, keepsAnything } from './shell/capable';
import { now, wait, within } from './shell/clock';
import { isOursAlone, lacksOurs, registration } from './shell/workerclient';

/** Longest wait for any one answer, in milliseconds: a browser asks a silent STUN server for several seconds. */
const WAIT_MS = 6_000;
/** What is sent from this page to itself, in bytes: one piece. */
const TRANSFER_BYTES = 65_536;

const ask = <T>(work: Promise<T>): Promise<T | null> => within(WAIT_MS, work.catch(() => null)) as Promise<T | null>;

async function serverView(): Promise<ServerView | null> {
  const response = await fetch(`/.viral/doctor.json${location.search}`, { cache: 'no-store' });
  return response.ok ? ((await response.json()) as ServerView) : null;
}

/** Connections of a frame that may not use the local network: a browser that checks them refuses what it would else ask for, and nobody is asked. */
async function silent(): Promise<typeof RTCPeerConnection> {
  const frame = document.createElement('iframe');
  frame.hidden = true;
  frame.allow = "local-network 'none'; local-network-access 'none'; loopback-network 'none'";
  const loaded = new Promise<void>((resolve) => frame.addEventListener('load', () => resolve()));
  document.body.append(frame);
  // Firefox puts another document in place of the first one.
  await within(WAIT_MS, loaded);
  return (frame.contentWindow as (Window & typeof globalThis) | null)?.RTCPeerConnection ?? RTCPeerConnection;
}

/** What a connection to nobody gathers. */
async function gather(Connection: typeof RTCPeerConnection, stun: readonly number[]): Promise<Gathered> {
  const pc = new Connection({ iceServers: stunServers(location.hostname, stun) });
  try {
    pc.createDataChannel('');
    const done = new Promise<void>((resolve) => pc.addEventListener('icegatheringstatechange', () => pc.iceGatheringState === 'complete' && resolve()));
    await pc.setLocalDescription();
    await within(WAIT_MS, done);
    const sdp = pc.localDescription?.sdp ?? '';
    const all = [...sdp.matchAll(/^a=candidate:\S+ \d udp \d+ (\S+) \d+ typ (\w+)/gim)];
    const hosts = all.filter(([, , kind]) => kind === 'host').map(([, address]) => address!.endsWith('.local'));
    return { host: hosts.includes(false), named: hosts.includes(true), reflexive: all.some(([, , kind]) => kind === 'srflx'), symmetric: natOf(sdp) === 'symmetric' };
  } finally {
    pc.close();
  }
}

/** How long one piece takes from this page to itself. */
async function transfer(Connection: typeof RTCPeerConnection): Promise<number> {
  const [from, to] = [new Connection(), new Connection()];
  try {
    from.addEventListener('icecandidate', ({ candidate }) => void (candidate && to.addIceCandidate(candidate)));
    to.addEventListener('icecandidate', ({ candidate }) => void (candidate && from.addIceCandidate(candidate)));
    const [out, into] = [from, to].map((pc) => pc.createDataChannel('', { negotiated: true, id: 0 })) as [RTCDataChannel, RTCDataChannel];
    const began = now();
    const arrived = new Promise<void>((resolve) => into.addEventListener('message', () => resolve()));
    out.addEventListener('open', () => out.send(new Uint8Array(TRANSFER_BYTES)));
    await from.setLocalDescription();
    await to.setRemoteDescription(from.localDescription!);
    await to.setLocalDescription();
    await from.setRemoteDescription(to.localDescription!);
    await arrived;
    return now() - began;
  } finally {
    // A browser may still be busy with what was just added.
    void wait(0).then(() => [from, to].forEach((pc) => pc.close()));
  }
}

function socketOpens(): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = new WebSocket(`${location.protocol === 'https:' ? 'wss' : 'ws'}://${location.host}/.viral/ws`);
    socket.addEventListener('open', () => {
      resolve(true);
      socket.close();
    });
    socket.addEventListener('error', () => resolve(false));
  });
}

/** What the browser says of connections into the local network, under the name that it knows. */
async function permission(): Promise<PermissionState | null> {
  for (const name of ['local-network', 'local-network-access']) {
    const status = await navigator.permissions?.query({ name: name as PermissionName }).catch(() => null);
    if (status) return status.state;
  }
  return null;
}

async function siteWorker(): Promise<Facts['siteWorker']> {
  const found = await registration();
  if (!found || isOursAlone(found)) return 'none';
  return (await lacksOurs(found)) ? 'without' : 'with-ours';
}

async function facts(): Promise<Facts> {
  const webrtc = 'RTCPeerConnection' in window;
  const server = await ask(serverView());
  const Connection = webrtc ? await silent() : null;
  const [gathered, transferMs, socket, granted, worker] = await Promise.all([
    Connection && ask(gather(Connection, server?.stun ?? [])),
    Connection && ask(transfer(Connection)),
    ask(socketOpens()),
    ask(permission()),
    ask(siteWorker()),
  ]);
  return {
    secure: isSecureContext,
    webrtc,
    worker: !!navigator.serviceWorker,
    inflates: 'DecompressionStream' in window,
    stores: keepsAnything(),
    permission: granted,
    siteWorker: worker ?? 'none',
    gathered,
    // A socket that is silent is as good as none.
    socket: socket ?? false,
    transferMs,
    server,
  };
}

function show(findings: readonly Finding[]): void {
  const list = document.getElementById('findings');
  document.getElementById('summary')!.textContent = summary(findings);
  list?.replaceChildren(
    ...findings.map(({ check, verdict, found, change }) => {
      const item = document.createElement('li');
      item.className = verdict;
      item.dataset['check'] = check;
      for (const [name, text] of [['p', found], ['small', change]] as const) if (text) item.append(Object.assign(document.createElement(name), { textContent: text }));
      return item;
    }),
  );
  // The operator sees what stands in whose way, by its name alone.
  void fetch('/.viral/doctor', { method: 'POST', body: JSON.stringify(reportOf(findings)) }).catch(() => undefined);
  // For scripts that drive a browser.
  Object.assign(window, { viralDoctor: { capable: isCapable(), summary: summary(findings), findings } });
}

void facts().then((found) => show(diagnose(found)));
