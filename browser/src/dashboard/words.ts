// What the tokens of the statistics mean, in plain words.

const REASONS: Record<string, string> = {
  'no-peer-near': 'nobody near has the page and a free slot',
  learning: 'too few visits have told what the page uses',
  unchanged: 'the visitor has the page already',
  ramp: 'not in the share of --ramp',
  'not-worth-it': 'thin visits are slower here, or save nothing',
  'peer-near': 'somebody near has the page',
  crowd: 'many come at once and share one copy',
  stored: 'the visitor stores the page already',
  requested: 'the address asks for it',
  storage: 'the browser keeps nothing for the site',
  'opt-out': 'the visitor opted out',
  'save-data': 'the visitor saves data',
  gpc: 'the visitor asks for privacy (Sec-GPC)',
  'not-a-browser': 'an old browser, a tool, or plain http',
  'passed-on': 'a service worker passed the visit on',
  bot: 'a known bot',
  incapable: 'the browser is too old, or failed before',
  prompts: 'the browser would ask for a permission',
  'small-app': 'the page is too small for peers to win',
  'own-sw': 'the site has its own service worker',
  csp: "the page's Content-Security-Policy forbids it",
  encoding: 'the page is not UTF-8',
  'not-found': 'there is nothing at the address',
  'no-manifest': 'the page has no manifest',
  'not-shareable': 'the page is not the same for everybody',
  holdout: 'drawn to be compared with (--holdout)',
  shadow: 'only counted (--mode shadow)',
  'quiet-hours': 'within --quiet-hours',
};

const TIERS: Record<string, string> = {
  address: 'the same address',
  site: 'the same office (--sites)',
  prefix: 'the same network',
  network: 'the same provider',
  country: 'the same country',
  continent: 'the same continent',
  anyone: 'anybody',
};

const CAUSES: Record<string, string> = {
  no_candidate: 'the browser tells no address of its own',
  no_path: 'no packet found a way',
  no_channel: 'a way was found, but nothing opened on it',
  unsaid: 'ended without a reason',
  silent: 'neither side said anything',
};

const WHYS: Record<string, string> = {
  'on-demand': 'few visits use it, so it is not in the page set',
  short: 'too short to be asked of peers',
  document: 'a document, which always comes from the origin',
  'no-peer': 'no peer gave these pieces in time',
  'past-worker': 'asked for before the page’s worker was there',
};

const AGAINST: Record<string, string> = {
  slower: 'thin visits take longer',
  'slow-tail': 'the slowest thin visits take longer',
  'nothing-saved': 'the origin sends hardly less',
};

const SENT: Record<string, string> = {
  documents: 'documents',
  assets: 'assets by their own address',
  pieces: 'pieces that peers could not give',
  loader: 'thin answers and our scripts',
  signalling: 'introductions',
};

const of = (words: Record<string, string>) => (token: string) => words[token] ?? token;

export const reason = of(REASONS);
export const tier = of(TIERS);
export const cause = of(CAUSES);
export const why = of(WHYS);
export const against = of(AGAINST);
export const sent = of(SENT);
