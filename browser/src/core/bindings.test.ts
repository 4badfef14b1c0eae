import { describe, expect, it } from 'vitest';
import { Bindings } from './bindings';

describe('bindings of the service worker', () => {
  it('know what a page runs, and nothing of others', () => {
    const bindings = new Bindings();
    bindings.bind('c1', 'm1', '/p', 7, 'written');
    expect(bindings.of('c1')).toEqual({ manifest: 'm1', page: 'c1', at: 7, kind: 'written' });
    expect(bindings.of('c2')).toBeUndefined();
    expect(bindings.manifestOfPage('/p')).toBe('m1');
  });
  it('let a worker run what its page runs, and a nested one, too', () => {
    const bindings = new Bindings();
    bindings.bind('page', 'm1', '/p', 7, 'written');
    bindings.inherit('worker', bindings.of('page')!);
    bindings.inherit('nested', bindings.of('worker')!);
    expect(bindings.of('nested')).toEqual({ manifest: 'm1', page: 'page', at: 7, kind: 'written' });
  });
  it('remember of a full page only what its client runs', () => {
    const bindings = new Bindings();
    bindings.bind('c1', 'm1', '/p', 7, 'full');
    expect([bindings.of('c1')?.manifest, bindings.manifestOfPage('/p'), bindings.recent()]).toEqual(['m1', undefined, []]);
    bindings.bind('c2', 'm2', '/p', 7, 'stored');
    bindings.bind('c3', 'm3', '/q', 7, 'written');
    expect(bindings.recent()).toEqual(['m3', 'm2']);
  });
  it('keep the version of a full page for its next visit without running it here', () => {
    const bindings = new Bindings();
    bindings.use('/p', 'm1');
    bindings.setStored('m1', true);
    expect([bindings.manifestOfPage('/p'), bindings.recent(), bindings.header()]).toEqual(['m1', ['m1'], 'viral m1']);
    expect([...bindings.prune(new Set(), 8)]).toEqual(['m1']);
  });
  it('hide a page from the site until a worker of its own claims it', () => {
    const bindings = new Bindings();
    bindings.bind('c1', 'm1', '/p', 7, 'written', true);
    bindings.bind('c2', 'm1', '/p', 7, 'written');
    bindings.inherit('worker', bindings.of('c1')!);
    expect([bindings.of('c1')?.hidden, bindings.of('c2')?.hidden, bindings.of('worker')?.hidden]).toEqual([true, undefined, true]);
    expect(new Bindings(bindings.state()).show()).toEqual(['c1', 'worker']);
    expect(bindings.show()).toEqual(['c1', 'worker']);
    expect([bindings.of('c1')?.hidden, bindings.show()]).toEqual([false, []]);
  });
  it('answer a reload once', () => {
    const bindings = new Bindings();
    bindings.bindReload('https://a.test/p?q', 'm1');
    expect(bindings.takeReload('https://a.test/p')).toBeUndefined();
    expect(bindings.takeReload('https://a.test/p?q')).toBe('m1');
    expect(bindings.takeReload('https://a.test/p?q')).toBeUndefined();
  });
  it('refuse a reload that never arrived, once, so that a page does not reload for ever', () => {
    const bindings = new Bindings();
    expect([1, 2, 3].map(() => bindings.bindReload('u', 'm1'))).toEqual([true, false, true]);
    expect(bindings.bindReload('u', 'm2')).toBe(true);
  });
  it('forget the oldest of reloads that never happened, and of clients beyond the limit', () => {
    const bindings = new Bindings();
    for (let at = 0; at < 9; at++) bindings.bindReload(`u${at}`, 'm');
    expect(bindings.takeReload('u0')).toBeUndefined();
    expect(bindings.takeReload('u1')).toBe('m');
    for (let at = 0; at <= 1024; at++) bindings.bind(`c${at}`, 'm', '/p', 0, 'written');
    expect([bindings.of('c0'), bindings.of('c1')?.page]).toEqual([undefined, 'c1']);
  });
  it('tell the server what is stored, newest first, at most eight', () => {
    const bindings = new Bindings();
    const digests = Array.from({ length: 9 }, (_, at) => `${at}`.repeat(64));
    for (const digest of digests) bindings.setStored(digest, true);
    expect(bindings.header()).toBe(`viral ${digests.slice(1).reverse().map((digest) => digest.slice(0, 16)).join()}`);
    for (const digest of digests) bindings.setStored(digest, false);
    expect(bindings.header()).toBe('viral ');
  });
  it('survive a restart of the worker', () => {
    const bindings = new Bindings();
    bindings.bind('c1', 'm1', '/p', 7, 'written');
    bindings.bindReload('u', 'm2');
    bindings.setStored('m1', true);
    const again = new Bindings(JSON.parse(JSON.stringify(bindings.state())));
    expect([again.of('c1')?.manifest, again.manifestOfPage('/p'), again.header(), again.takeReload('u')]).toEqual(['m1', 'm1', 'viral m1', 'm2']);
    expect(new Bindings({}).header()).toBe('viral ');
  });
  it('keep the last manifests, those of open pages and of pending reloads, and drop the rest', () => {
    const bindings = new Bindings();
    bindings.bind('open', 'm0', '/zero', 0, 'written');
    bindings.inherit('worker', bindings.of('open')!);
    for (const at of [1, 2, 3]) bindings.bind(`gone${at}`, `m${at}`, `/p${at}`, at, 'written');
    bindings.inherit('orphan', bindings.of('gone3')!);
    for (const at of [0, 1, 3]) bindings.setStored(`m${at}`, true);
    bindings.bindReload('u', 'm9');
    expect(bindings.prune(new Set(['open']), 2)).toEqual(new Set(['m0', 'm2', 'm3', 'm9']));
    expect(['worker', 'gone3', 'orphan'].map((client) => bindings.of(client)?.manifest)).toEqual(['m0', undefined, undefined]);
    expect(bindings.manifestOfPage('/p1')).toBeUndefined();
    expect(bindings.manifestOfPage('/p3')).toBe('m3');
    expect(bindings.header()).toBe('viral m3,m0');
  });
});
