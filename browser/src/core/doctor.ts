/** What a browser and the server found, in plain words: whether this browser can take the site from other visitors and give it to them, and what to change. */

import type { DoctorCheck } from './generated/DoctorCheck';
import type { DoctorPost } from './generated/DoctorPost';

/** How the server sees this browser: the JSON of `/.viral/doctor.json`. */
export interface ServerView {
  /** Where it came from. */
  readonly address: string;
  /** How a visit to the page would be answered now, and why; null where there is no page. */
  readonly answer: 'full' | 'thin' | 'plain' | null;
  readonly reason: string | null;
  /** Whether anybody seeds now. */
  readonly seeds: boolean;
  /** UDP ports at which it tells how it sees who asks; none if it does not. */
  readonly stun: readonly number[];
}

/** What a connection of this browser's to nobody gathered. */
export interface Gathered {
  /** A private or public address in plain. */
  readonly host: boolean;
  /** A `.local` name in its place. */
  readonly named: boolean;
  /** An address by which the world sees it, as the server said. */
  readonly reflexive: boolean;
  /** Two questions from one port had two answers: each destination sees another port. */
  readonly symmetric: boolean;
}

/** What was found. Null: it could not be tried. */
export interface Facts {
  readonly secure: boolean;
  readonly webrtc: boolean;
  readonly worker: boolean;
  readonly inflates: boolean;
  readonly stores: boolean;
  /** What the browser says of connections into the local network; null where it knows no such permission. */
  readonly permission: PermissionState | null;
  /** The site's own service worker, and whether ours is in it. */
  readonly siteWorker: 'none' | 'with-ours' | 'without';
  readonly gathered: Gathered | null;
  /** A WebSocket to the server opened. */
  readonly socket: boolean | null;
  /** Milliseconds that one transfer inside this page took; null if none arrived. */
  readonly transferMs: number | null;
  readonly server: ServerView | null;
}

/** `good`: as it should be. `limited`: it works in part. `bad`: nothing can be taken or given. */
export type Verdict = 'good' | 'limited' | 'bad';

/** One thing that was looked at. */
export interface Finding {
  /** Name of the check, for scripts. */
  readonly check: DoctorCheck;
  readonly verdict: Verdict;
  /** What was found. */
  readonly found: string;
  /** What to change; empty if nothing. */
  readonly change: string;
}

const finding = (check: DoctorCheck, verdict: Verdict, found: string, change = ''): Finding => ({ check, verdict, found, change });

/** What stands in the way of everything, by what is missing. */
function basics({ secure, webrtc, worker, inflates, stores }: Facts): Finding[] {
  return [
    secure
      ? finding('secure-context', 'good', 'The page came over a secure connection.')
      : finding('secure-context', 'bad', 'The page did not come over a secure connection.', 'Serve the site by https:// with a certificate that browsers trust. Only localhost may do without.'),
    webrtc
      ? finding('webrtc', 'good', 'The browser can connect to other browsers.')
      : finding('webrtc', 'bad', 'The browser has no WebRTC.', 'Allow it in the browser, its extensions or the policies of your company; in Firefox media.peerconnection.enabled.'),
    worker
      ? finding('service-worker', 'good', 'The browser has service workers.')
      : finding('service-worker', 'bad', 'The browser has no service workers here.', secure ? 'Leave the private mode, or allow cookies for this site.' : 'They come with the secure connection.'),
    inflates ? finding('inflate', 'good', 'The browser unpacks compressed pieces.') : finding('inflate', 'bad', 'The browser is too old to unpack pieces.', 'Use a newer one.'),
    stores ? finding('storage', 'good', 'The site may keep files in this browser.') : finding('storage', 'bad', 'The site may keep nothing in this browser.', 'Allow cookies and site data for this site.'),
  ];
}

/** Addresses of one's own network: loopback, private, link-local, unique local. */
const NEAR = /^(127|10|192\.168|169\.254|172\.(1[6-9]|2\d|3[01]))\.|^(::1$|f[cd]|fe[89ab])/i;

function candidates({ gathered, server, webrtc }: Facts): Finding[] {
  if (!webrtc) return [];
  if (!gathered || !(gathered.host || gathered.named || gathered.reflexive)) {
    return [finding('candidates', 'bad', 'The browser offers no address to connect to.', 'A policy or an extension forbids it: in Chromium the policy WebRtcIPHandling, which must not be disable_non_proxied_udp.')];
  }
  const own = gathered.host
    ? finding('candidates', 'good', 'The browser tells others its own address.')
    : finding('candidates', 'limited', 'The browser hides its address behind a .local name, which only resolves where multicast gets through.', 'Nothing, as a rule: in an office the server puts the address in its place. Elsewhere see "An office" in the guide.');
  const asked = !!server?.stun.length;
  const seen = gathered.reflexive
    ? finding('stun', 'good', 'The server told the browser how the world sees it.')
    : asked
      ? finding('stun', 'limited', 'The server did not answer over UDP, so nobody of another network can connect.', `Let UDP through to the server's port ${server.stun.join(' and ')}. Inside one network nothing is missing.`)
      : server && NEAR.test(server.address)
        ? finding('stun', 'good', 'The server is in the same network, where nobody needs to know how the world sees this browser.')
        : finding('stun', 'limited', 'The server does not tell browsers how the world sees them.', 'Start it with --stun-listen ADDR, if visitors of different networks are to meet. Inside one network nothing is missing.');
  const nat = gathered.symmetric
    ? [finding('nat', 'limited', 'The router gives each destination a port of its own: many visitors of other networks cannot be reached.', 'IPv6 helps, or a router with endpoint-independent mapping.')]
    : gathered.reflexive
      ? [finding('nat', 'good', 'The router keeps one port for all destinations.')]
      : [];
  return [own, seen, ...nat];
}

function network({ socket, permission, transferMs, webrtc }: Facts): Finding[] {
  const found: Finding[] = [];
  if (socket !== null) {
    found.push(
      socket
        ? finding('websocket', 'good', 'The connection by which visitors are introduced opened.')
        : finding('websocket', 'bad', 'The connection by which visitors are introduced did not open, so this browser seeds for nobody.', 'A proxy in between must pass WebSockets on: see "Behind a proxy" in the guide.'),
    );
  }
  if (permission === 'denied') {
    found.push(finding('permission', 'limited', 'The browser does not let this site connect into the local network.', 'Allow it in the settings of the site, or by the policy LocalNetworkAllowedForUrls. Nothing is missing where the page says so itself, and nobody checks WebRTC.'));
  } else if (permission === 'prompt') {
    found.push(finding('permission', 'good', 'The browser guards the local network, but does not ask before visitors connect.', 'Where connections to visitors are checked as well, the policy LocalNetworkAllowedForUrls allows them; see "Browsers of a company" in the guide.'));
  }
  if (webrtc) {
    found.push(
      transferMs === null
        ? finding('transfer', 'bad', 'A transfer from this page to itself did not arrive.', 'Something on this machine blocks WebRTC: a firewall, an extension or a policy.')
        : finding('transfer', 'good', `A transfer from this page to itself took ${Math.round(transferMs)} ms.`),
    );
  }
  return found;
}

/** What each reason of a plain answer means for whoever reads this. */
const PLAIN: Readonly<Record<string, string>> = {
  'opt-out': 'This browser opted out; the page at /.viral/ has the way back.',
  'save-data': 'The browser saves data.',
  'not-a-browser': 'The request did not say that it comes from a browser: a proxy strips Sec-Fetch headers, or the page is not secure.',
  bot: 'The browser looks like a crawler.',
  incapable: 'It failed in this browser before: delete the cookie "viral" to try again.',
  prompts: 'The browser might ask for a permission, which we never make it do: --macos allow overrides that.',
  'small-app': 'The page is so small that other visitors cannot win.',
  'own-service-worker': "The site's own service worker has not ours in it yet: load the page again.",
  csp: "The page's Content-Security-Policy does not let it through.",
  gpc: 'The browser asks not to be shared (Global Privacy Control).',
};

function answered({ server, siteWorker }: Facts): Finding[] {
  const found: Finding[] = [];
  if (siteWorker === 'without') found.push(finding('own-service-worker', 'limited', "The site's own service worker is from before viral stood in front of it.", 'Load the page again: the browser fetches the new one by itself.'));
  if (siteWorker === 'with-ours') found.push(finding('own-service-worker', 'good', "The site's own service worker has ours in it."));
  if (!server) return [...found, finding('server', 'bad', 'The server did not answer.', 'Is it running, and does the proxy pass /.viral/ on?')];
  const { answer, reason, seeds, address } = server;
  found.push(finding('address', 'good', `The server sees this browser at ${address}.`, ''));
  if (answer === 'plain') return [...found, finding('answer', 'bad', `The page would come without us (${reason}).`, PLAIN[reason ?? ''] ?? `"${reason}" in the troubleshooting guide says what to do.`)];
  if (answer === 'thin') return [...found, finding('answer', 'good', 'The page would come from other visitors now.')];
  if (answer === 'full') return [...found, finding('answer', 'good', `The page would come from the server now (${reason}); ${seeds ? 'somebody seeds' : 'nobody seeds yet'}.`)];
  return [...found, finding('answer', 'limited', 'There is no page at this address.')];
}

/** Everything, the worst first. */
export function diagnose(facts: Facts): Finding[] {
  const order: readonly Verdict[] = ['bad', 'limited', 'good'];
  return [...basics(facts), ...candidates(facts), ...network(facts), ...answered(facts)].sort((a, b) => order.indexOf(a.verdict) - order.indexOf(b.verdict));
}

/** One sentence for all of it. */
export function summary(findings: readonly Finding[]): string {
  const bad = findings.filter(({ verdict }) => verdict === 'bad');
  if (bad.some(({ check }) => check !== 'websocket')) return 'This browser cannot take the site from other visitors. It gets it from the server, as always.';
  if (bad.length) return 'This browser can take the site from other visitors, but cannot give it to them.';
  return findings.some(({ verdict }) => verdict === 'limited') ? 'This browser can take the site from other visitors and give it to them, with limits.' : 'This browser can take the site from other visitors and give it to them.';
}

/** What the server is told of it. */
export function reportOf(findings: readonly Finding[]): DoctorPost {
  const of = (verdict: Verdict) => findings.filter((one) => one.verdict === verdict).map(({ check }) => check);
  return { bad: of('bad'), limited: of('limited') };
}
