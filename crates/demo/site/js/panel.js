// The words and numbers beside the globe: where this copy came from, and who got the app from whom.

import { parent, tree } from './travel.js';

const ROWS_MAX = 60;
const DEPTH_MAX = 9;
const find = (id) => document.getElementById(id);

/** Bytes as [number, unit], decimal. */
function amount(bytes) {
  if (bytes >= 1e6) return [(bytes / 1e6).toFixed(bytes >= 1e7 ? 1 : 2), 'MB'];
  if (bytes >= 1e3) return [(bytes / 1e3).toFixed(0), 'kB'];
  return [String(bytes), 'B'];
}

const count = (number, one, many) => `${number.toLocaleString('en')} ${number === 1 ? one : many}`;

/** Fills an element with text and elements: strings stay text, arrays are [tag, text]. */
function write(element, parts) {
  element.replaceChildren(...parts.map((part) => {
    if (typeof part === 'string') return part;
    const child = document.createElement(part[0]);
    child.textContent = part[1];
    return child;
  }));
}

/** What to say about a copy, by how it came. */
function verdict(status) {
  const { answer, bytesFromPeers: peers, bytesFromOrigin: origin } = status;
  const total = peers + origin;
  if (answer === 'plain' || status.role === 'off') return ['This copy came ', ['i', 'whole from the server'], '. You are not taking part.'];
  if (peers > 0) {
    const share = Math.round((peers / total) * 100);
    const givers = (status.sources ?? []).filter((source) => source.bytes > 0 && source.peer !== 0).length;
    const who = givers > 0 ? count(givers, 'visitor', 'visitors') : 'other visitors';
    return origin > 0 && share < 100
      ? ['You got this world from ', ['b', `${who}, ${share}%`], ', and from the ', ['i', `server, ${100 - share}%`], '.']
      : ['You got this world ', ['b', `whole from ${who}`], '. The server only vouched for it.'];
  }
  if (answer === 'thin' && total === 0) return ['You had this world already. ', ['b', 'Nothing had to travel.']];
  if (answer === 'thin') return ['You got this world ', ['i', 'whole from the server'], '; nobody could hand it on in time.'];
  return ['You got this world ', ['i', 'whole from the server'], '; nobody nearby had it. The next visitor can take it from you.'];
}

function figures(status, world) {
  const total = status.bytesFromPeers + status.bytesFromOrigin;
  const list = [];
  const own = total > 0 ? total : world.loaded;
  list.push([status.piecesVerified > 0 ? 'Received and checked' : 'Received', ...amount(own)]);
  if (status.piecesVerified > 0) list.push(['Pieces verified', status.piecesVerified.toLocaleString('en'), status.bans ? `${status.bans} banned` : '']);
  list.push(['From click to world', Math.round(world.ready).toLocaleString('en'), 'ms']);
  const { dialled, held } = status.marks ?? {};
  if (held > dialled) list.push(['First call to last piece', Math.round(held - dialled).toLocaleString('en'), 'ms']);
  if (world.verified !== null) list.push(['Maps intact', `${world.verified} of ${world.maps}`, '']);
  if (status.role !== 'off') {
    list.push(['Handed on by you', ...amount(status.bytesToPeers)]);
    list.push(['Connected now', String(status.peers), status.peers === 1 ? 'visitor' : 'visitors']);
  }
  return list;
}

function showFigures(list) {
  find('figures').replaceChildren(...list.map(([name, number, unit]) => {
    const group = document.createElement('div');
    const [term, value, small] = ['dt', 'dd', 'small'].map((tag) => document.createElement(tag));
    term.textContent = name;
    small.textContent = unit;
    value.append(number, small);
    group.append(term, value);
    return group;
  }));
}

function showShare(status) {
  const total = status.bytesFromPeers + status.bytesFromOrigin;
  const shown = total > 0 && status.bytesFromPeers > 0;
  find('share').hidden = find('legend').hidden = !shown;
  if (!shown) return;
  const share = (status.bytesFromPeers / total) * 100;
  find('share-peers').style.width = `${share}%`;
  find('share-origin').style.width = `${100 - share}%`;
  find('share').setAttribute('aria-label', `${Math.round(share)} percent from visitors, the rest from the server`);
  find('legend-peers').textContent = amount(status.bytesFromPeers).join(' ');
  find('legend-origin').textContent = amount(status.bytesFromOrigin).join(' ');
}

/** Shows where this copy came from. `status` is that of window.viral, or null where there is none. */
export function showCopy(status, world) {
  const known = status ?? { role: 'off', answer: 'plain', peers: 0, bytesFromPeers: 0, bytesFromOrigin: 0, bytesToPeers: 0, piecesVerified: 0, bans: 0 };
  write(find('verdict'), verdict(known));
  showShare(known);
  if (world.ready) showFigures(figures(known, world));
  const note = find('note');
  note.hidden = known.role !== 'off';
  note.textContent = status
    ? 'You opted out, or this browser cannot take part. Everything works all the same.'
    : 'This page runs without the part that hands it on: you opted out, or this browser or address cannot take part. Everything works all the same.';
}

/** Shows the invitation while this visitor takes part and is alone. */
export function showInvite(status, visits) {
  const others = visits.filter((visit) => !visit.left && !visit.you).length;
  const alone = status && status.role !== 'off' && status.peers === 0 && status.bytesFromPeers === 0 && status.bytesToPeers === 0 && others <= 1;
  find('invite').hidden = !alone;
}

function row({ visit, depth }, name, choose) {
  const item = document.createElement('li');
  item.className = visit.left ? 'left' : visit.fromPeers === 0 ? 'whole' : '';
  item.style.setProperty('--depth', String(Math.min(depth, DEPTH_MAX)));
  const button = document.createElement('button');
  button.type = 'button';
  const [dot, label, source] = ['dot', 'name', 'source'].map((kind) => {
    const span = document.createElement('span');
    span.className = kind;
    return span;
  });
  label.textContent = name(visit.ordinal);
  if (visit.you) {
    const you = document.createElement('em');
    you.textContent = 'you';
    label.append(you);
  }
  const others = visit.sources.filter(({ from }) => from !== 0).length - 1;
  const from = parent(visit);
  const size = visit.bytes ? amount(visit.bytes).join(' ') : '';
  const state = visit.dropped ? 'dropped' : visit.left ? 'left' : '';
  // The indentation shows the giver; who listens instead of looking is told.
  const brief = from === 0 ? 'from the server' : others > 0 ? `and ${count(others, 'other', 'others')}` : '';
  const giver = from === 0 ? 'the server' : `${name(from)}${others > 0 ? ` and ${count(others, 'other', 'others')}` : ''}`;
  source.textContent = [brief, size, state].filter(Boolean).join(' · ');
  button.setAttribute('aria-label', [`${name(visit.ordinal)}${visit.you ? ', you' : ''}, from ${giver}`, size, state].filter(Boolean).join(', '));
  button.append(dot, label, source);
  button.addEventListener('click', () => choose(visit.ordinal));
  item.append(button);
  return item;
}

/** Shows who got the app from whom; `name` gives a visit's town, `choose` is called with the visit a person picks. */
export function showTravel(travel, name, choose) {
  const visits = travel.visits;
  const note = find('travel-note');
  const here = visits.filter((visit) => !visit.left).length;
  const words = {
    waiting: 'Listening for visitors…',
    absent: 'This server does not tell visitors about each other.',
    lost: 'Lost the server for a moment; listening again…',
    live: visits.length ? `${count(visits.length, 'visit', 'visits')} so far, ${here.toLocaleString('en')} here now.` : 'Nobody has handed it on yet.',
  };
  note.textContent = words[travel.state];
  const rows = tree(visits);
  const cut = Math.max(0, rows.length - ROWS_MAX);
  const focused = document.activeElement?.closest('#travel li');
  const index = focused ? [...find('travel').children].indexOf(focused) : -1;
  const items = rows.slice(cut).map((entry) => row(entry, name, choose));
  if (cut) {
    const more = document.createElement('li');
    more.className = 'more';
    more.textContent = `and ${cut.toLocaleString('en')} earlier`;
    items.push(more);
  }
  find('travel').replaceChildren(...items);
  if (index >= 0) items[Math.min(index, items.length - 1)]?.querySelector('button')?.focus();
}
